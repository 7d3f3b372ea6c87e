"""Writes the files beside it, with NumPy 2.4: `python3 test/formats/numpy/make.py`."""

import zipfile
from pathlib import Path

import numpy as np

folder = Path(__file__).parent
np.savez_compressed(
    folder / "compressed.npz",
    big_endian=np.array([[1, -2], [3, 2**40]], dtype=">i8"),
    empty=np.zeros((0, 3), dtype="f8"),
    flags=np.array([True, False, True]),
    fortran=np.asfortranarray(np.arange(24, dtype="<u2").reshape(2, 3, 4)),
    half=np.array(-1.5, dtype="<f2"),
    rows=np.arange(6, dtype="<f4").reshape(2, 3) / 2,
)
np.savez(folder / "plain.npz", a=np.arange(3, dtype="i1"), **{"x/y": np.array([[1.5]])})
np.save(folder / "objects.npy", np.array([None, "text"]), allow_pickle=True)
np.save(folder / "records.npy", np.zeros(2, dtype=[("x", "f4"), ("y", "i2")]))
np.save(folder / "complex.npy", np.zeros(2, dtype="c8"))

# As large files are: sizes and offsets in 64 bits, which the zipfile module writes past its limit.
zipfile.ZIP64_LIMIT = 10
with zipfile.ZipFile(folder / "zip64.npz", "w", zipfile.ZIP_DEFLATED) as archive:
    for name, array in [("a", np.arange(5, dtype="i2")), ("b", np.ones((2, 2), dtype="f4"))]:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            np.save(file, array)
