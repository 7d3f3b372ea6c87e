import { type WeightFormat, type WeightStorage, weightFormats } from '../sparse/weight_formats.js';
import type { NativeAddon, NativeSession } from './addon.js';

/** What a build of the addon can do. */
export interface NativeFeatures {
  readonly formats: readonly WeightFormat[];
  /** float16 values, weights to give back, low-rank products, scales in epilogues. */
  readonly packing: boolean;
}

/** Asks the addon itself: one that packs weights for others has every format and all that came with them. */
export function nativeFeatures(addon: NativeAddon): NativeFeatures {
  const packing = typeof addon.packWeights === 'function';
  const formats = packing ? weightFormats : weightFormats.filter((f) => f !== 'sell' && f !== 'ell');
  return { formats, packing };
}

/** A matrix inside a constant; see `NativeSession.addWeights`. */
interface MatrixView {
  readonly data: { readonly bytes: Uint8Array };
  readonly rows: number;
  readonly cols: number;
  readonly offset: number;
  readonly rowStride: number;
  readonly colStride: number;
}

/** `addWeights` of the matrix, as this build takes it. */
export function addWeights(
  session: NativeSession,
  { packing }: NativeFeatures,
  { data, rows, cols, offset, rowStride, colStride }: MatrixView,
  format: WeightFormat,
  storage: WeightStorage,
): number {
  const view = [rows, cols, offset, rowStride, colStride] as const;
  if (packing) return session.addWeights(data.bytes, format, storage, ...view);
  const withoutStorage = session.addWeights as unknown as (
    bytes: Uint8Array,
    format: WeightFormat,
    ...view: readonly number[]
  ) => number;
  return withoutStorage.call(session, data.bytes, format, ...view);
}
