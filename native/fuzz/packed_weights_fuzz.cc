// libFuzzer target: a file of packed weights that is anything at all. Its bytes are refused with an Error, or
// become weights through which kernels read inside their memory. CONTRIBUTING.md says how to run it.
//
// The first bytes of the input say which weights the rest is to be, in one of two ways: ranges in the rest as
// it is, or sections that were packed from the rest and then changed in a few bytes, which come closer to
// what the checks let through.

#include <algorithm>
#include <cstring>
#include <iterator>
#include <memory>
#include <vector>

#include "core/error.h"
#include "formats/column_gaps.h"
#include "formats/model_file.h"
#include "isa/isa.h"
#include "runtime/session.h"

namespace espalier {
namespace {

class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(data), size_(size) {}

  uint8_t Byte() { return size_ == 0 ? 0 : (--size_, *data_++); }
  size_t Below(size_t limit) { return (Byte() | size_t{Byte()} << 8) % limit; }
  // Small, or as large as a field can be.
  uint64_t Number() {
    const uint8_t kind = Byte();
    if (kind < 200) return kind;
    uint64_t number = 0;
    for (int i = 0; i < 8; ++i) number = number << 8 | (kind < 250 && i < 6 ? 0 : Byte());
    return number;
  }
  const uint8_t* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  const uint8_t* data_;
  size_t size_;
};

constexpr size_t kMostElements = size_t{1} << 16;  // of a matrix that is unpacked and multiplied

// Weights that were accepted: unpacked, and multiplied with one and with several tokens.
void Use(const std::shared_ptr<const ModelFile>& file, const PackedShape& shape,
         const ModelFile::Ranges& ranges, const std::shared_ptr<const PackedWeights>& weights) {
  if (MultiplySizes(shape.rows, shape.cols) > kMostElements) return;
  const auto dense = std::make_unique<float[]>(shape.rows * shape.cols);
  weights->Unpack(dense.get());
  for (const KernelTable* kernels : AvailableKernels()) {
    for (const size_t tokens : {size_t{1}, size_t{5}}) {
      Session session(*kernels, 1);
      session.UseFile(file);
      StepSpec step;
      step.op = "matmul";
      step.ints["n"] = {static_cast<int64_t>(tokens)};
      TensorRef x;
      x.space = Space::kInput;
      x.dims = {tokens, shape.cols};
      TensorRef y;
      y.space = Space::kOutput;
      y.dims = {tokens, shape.rows};
      step.inputs = {x};
      step.outputs = {y};
      step.weights = {session.AddWeights(shape, ranges)};
      PlanSpec plan;
      plan.input_bytes = {x.Bytes()};
      plan.output_bytes = {y.Bytes()};
      plan.steps = {step};
      const auto in = std::make_unique<uint8_t[]>(x.Bytes());
      const auto out = std::make_unique<uint8_t[]>(y.Bytes());
      std::memset(in.get(), 0x3c, x.Bytes());
      const uint8_t* inputs[] = {in.get()};
      uint8_t* outputs[] = {out.get()};
      try {
        session.Run(*session.FindPlan(session.CreatePlan(plan)), inputs, outputs);
      } catch (const Error&) {
        continue;  // a format that is not for so many tokens
      }
    }
  }
}

void TryRanges(Input input, PackedShape shape) {
  shape.rows = input.Number();
  shape.cols = input.Number();
  shape.block_cols = input.Number();
  shape.chunk_rows = input.Number();
  ModelFile::Ranges ranges{};
  for (ByteRange& range : ranges) range = {input.Number(), input.Number()};
  const auto file = ModelFile::FromBytes(input.data(), input.size());
  Use(file, shape, ranges, file->Weights(shape, ranges));
}

void TryChanged(Input input, PackedShape shape) {
  shape.rows = 1 + input.Below(80);
  shape.cols = 1 + input.Below(300);
  struct Change {
    size_t place;
    uint8_t byte;
  };
  std::vector<Change> changes(input.Below(9));
  for (Change& change : changes) change = {input.Below(65536), input.Byte()};
  std::vector<float> values(shape.rows * shape.cols);
  for (float& value : values) value = input.Byte() > 200 ? 1.5f : 0.0f;
  const MatrixView view{reinterpret_cast<const uint8_t*>(values.data()),
                        values.size() * sizeof(float),
                        shape.rows,
                        shape.cols,
                        0,
                        shape.cols,
                        1};
  const PackedWeights packed = PackedWeights::Pack(view, shape.format, shape.storage);
  const WeightFormat others[] = {WeightFormat::kDense, WeightFormat::kCsr, WeightFormat::kEll};
  const bool has_gaps = std::find(std::begin(others), std::end(others), shape.format) == std::end(others);
  const bool short_columns = has_gaps && input.Byte() % 2 == 0;
  std::vector<uint8_t> bytes;
  ModelFile::Ranges ranges{};
  for (size_t i = 0; i < kSections; ++i) {
    SharedBytes section = packed.section(static_cast<Section>(i));
    if (short_columns && static_cast<Section>(i) == Section::kColumns) section = SharedBytes();
    if (short_columns && static_cast<Section>(i) == Section::kGaps) section = EncodeGaps(packed);
    ranges[i] = {bytes.size(), section.size()};
    bytes.insert(bytes.end(), section.data(), section.data() + section.size());
    bytes.resize(RoundUp(bytes.size(), 64));
  }
  for (const Change& change : changes) {
    if (!bytes.empty()) bytes[change.place % bytes.size()] = change.byte;
  }
  const auto file = ModelFile::FromBytes(bytes.data(), bytes.size());
  Use(file, packed.shape(), ranges, file->Weights(packed.shape(), ranges));
}

}  // namespace
}  // namespace espalier

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace espalier;  // NOLINT(google-build-using-namespace): the function has to be outside
  Input input(data, size);
  PackedShape shape;
  shape.format = static_cast<WeightFormat>(input.Byte() % 7);
  shape.storage = static_cast<Storage>(input.Byte() % 2);
  try {
    if (input.Byte() % 2 == 0) {
      TryRanges(input, shape);
    } else {
      TryChanged(input, shape);
    }
  } catch (const Error&) {
    return 0;  // refused
  }
  return 0;
}
