// y = softmax(scale * q k^T + mask) v for every head, without a matrix of tokens x tokens: an online softmax
// (Milakov & Gimelshein, arXiv 1805.02867) over blocks of keys, as in FlashAttention (Dao et al., arXiv
// 2205.14135), on the matrix kernels. inputs: q, k, v, and a mask if has_mask. ints: "batch", "heads",
// "kv_heads" (each serves heads / kv_heads heads of queries), "queries", "keys", "size" of a head, "v_size";
// "causal" (query i sees keys up to i + "past"); strides in elements, along [batch, head, token] of a
// tensor: "q_strides", "k_strides", "v_strides", "y_strides", of the mask along [batch, head, query, key] (0
// repeats it; the last is 0 or 1); "starts": of each input, in elements. floats: "scale".
//
// Lanes are queries: a block of them is the panel [size, queries] of a product whose weights are the keys,
// and the exponentials are the panel of one whose weights are the values, so that a softmax has nothing to
// fold across lanes. Keys and values are packed once, in the first stage.

#include <algorithm>
#include <array>
#include <limits>

#include "runtime/ops/factories.h"
#include "runtime/ops/product.h"

namespace espalier {
namespace {

constexpr size_t kRowBlock = 16;
constexpr size_t kMostQueries = 48;  // the strip that kernels take at once
constexpr size_t kKeyBlock = 128;    // its scores stay in the first-level cache

template <size_t Axes>
struct Strided {
  Address address;
  std::array<size_t, Axes> strides{};
};

class Attention final : public Step {
 public:
  Attention(const StepSpec& spec, const BuildContext& build)
      : Step(spec.name),
        kernels_(build.kernels),
        batch_(spec.Size("batch")),
        heads_(spec.Size("heads")),
        kv_heads_(spec.Size("kv_heads")),
        queries_(spec.Size("queries")),
        keys_(spec.Size("keys")),
        size_(spec.Size("size")),
        v_size_(spec.Size("v_size")),
        causal_(spec.Int("causal", 0) != 0),
        past_(causal_ ? spec.Size("past") : 0),
        has_mask_(spec.Int("has_mask", 0) != 0),
        scale_(static_cast<float>(spec.Float("scale", 1))) {
    spec.ExpectFloat32();
    spec.Expect(spec.inputs.size() == 3u + has_mask_ && spec.outputs.size() == 1, "q, k, v and a mask");
    spec.Expect(kv_heads_ > 0 && heads_ % kv_heads_ == 0, "heads that share keys evenly");
    spec.Expect(queries_ > 0 && queries_ <= spec.outputs[0].Elements(), "queries, and outputs for them");
    starts_ = spec.Sizes("starts");
    spec.Expect(starts_.size() == spec.inputs.size(), "where each input starts");
    q_ = Read<3>(spec, build, spec.inputs[0], "q_strides", {batch_, heads_, queries_}, size_, starts_[0]);
    k_ = Read<3>(spec, build, spec.inputs[1], "k_strides", {batch_, kv_heads_, keys_}, size_, starts_[1]);
    v_ = Read<3>(spec, build, spec.inputs[2], "v_strides", {batch_, kv_heads_, keys_}, v_size_, starts_[2]);
    y_ = Read<3>(spec, build, spec.outputs[0], "y_strides", {batch_, heads_, queries_}, v_size_, 0);
    if (has_mask_) {
      mask_ = Read<4>(spec, build, spec.inputs[3], "mask_strides", {batch_, heads_, queries_, keys_}, 1,
                      starts_[3]);
      spec.Expect(mask_.strides[3] <= 1, "a mask whose keys are neighbours");
    }
    const size_t blocks = std::max<size_t>((queries_ + kMostQueries - 1) / kMostQueries, 1);
    tile_ = RoundUp((queries_ + blocks - 1) / blocks, kRowBlock);
    tiles_ = (queries_ + tile_ - 1) / tile_;
    first_stage_chunks_ = batch_ * kv_heads_;
    chunks_ = first_stage_chunks_ + MultiplyAll({batch_, heads_, tiles_});
    k_floats_ = MultiplySizes(RoundUp(keys_, kRowBlock), size_);
    v_floats_ = MultiplySizes(RoundUp(v_size_, kRowBlock), keys_);
    shared_bytes_ = MultiplyAll({first_stage_chunks_, AddSizes(k_floats_, v_floats_), sizeof(float)});
    rows_ = PanelRows(std::max(size_, kKeyBlock), tile_);
    // The panel of queries, scores, the mask of a block, sums of values, and three rows of a softmax.
    scratch_bytes_ =
        (MultiplySizes(size_ + v_size_ + 2 * kKeyBlock + 3, tile_) + kPanelSlack) * sizeof(float);
  }

  void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept override {
    auto* const packed = reinterpret_cast<float*>(context.shared);
    if (chunk < first_stage_chunks_) {
      float* const to = packed + chunk * (k_floats_ + v_floats_);
      return Pack(context, chunk / kv_heads_, chunk % kv_heads_, to, to + k_floats_);
    }
    const size_t index = chunk - first_stage_chunks_;
    const size_t head = index / tiles_ % heads_;
    const size_t b = index / tiles_ / heads_;
    const size_t group = b * kv_heads_ + head / (heads_ / kv_heads_);
    const float* const k = packed + group * (k_floats_ + v_floats_);
    Attend(context, b, head, index % tiles_ * tile_, k, k + k_floats_, reinterpret_cast<float*>(scratch));
  }

 private:
  // Reads strides and checks that indices below `dims` stay inside the tensor, `row` elements each, from
  // `start` on.
  template <size_t Axes>
  static Strided<Axes> Read(const StepSpec& spec, const BuildContext& build, const TensorRef& tensor,
                            const char* key, const std::array<size_t, Axes>& dims, size_t row, size_t start) {
    const std::vector<size_t> strides = spec.Sizes(key);
    spec.Expect(strides.size() == Axes, std::string("a stride for each axis in ") + key);
    Strided<Axes> strided{build.resolve(tensor), {}};
    size_t end = AddSizes(start, row);
    bool empty = row == 0;
    for (size_t axis = 0; axis < Axes; ++axis) {
      strided.strides[axis] = strides[axis];
      empty = empty || dims[axis] == 0;
      if (dims[axis] > 1) end = AddSizes(end, MultiplySizes(strides[axis], dims[axis] - 1));
    }
    spec.Expect(empty || end <= tensor.Elements(), std::string(key) + " that stay inside the tensor");
    strided.address.offset += start * sizeof(float);
    return strided;
  }

  static const float* At(const RunContext& context, const Strided<3>& x, size_t b, size_t head) noexcept {
    return context.At<const float>(x.address) + b * x.strides[0] + head * x.strides[1];
  }

  // Keys as [row blocks, size, 16]; values as [key blocks, row blocks of v_size, keys of the block, 16].
  void Pack(const RunContext& context, size_t b, size_t head, float* k_to, float* v_to) const noexcept {
    const float* k = At(context, k_, b, head);
    for (size_t key = 0; key < keys_; key += kRowBlock) {
      const size_t count = std::min(kRowBlock, keys_ - key);
      float* const to = k_to + key * size_;
      kernels_.transpose(k + key * k_.strides[2], k_.strides[2], count, size_, to, kRowBlock);
      for (size_t d = 0; count < kRowBlock && d < size_; ++d)
        std::fill(to + d * kRowBlock + count, to + (d + 1) * kRowBlock, 0.0f);
    }
    const float* v = At(context, v_, b, head);
    for (size_t key = 0; key < keys_; key += kKeyBlock) {
      const size_t block = std::min(kKeyBlock, keys_ - key);
      float* to = v_to + key * RoundUp(v_size_, kRowBlock);
      for (size_t row = 0; row < v_size_; row += kRowBlock) {
        const size_t count = std::min(kRowBlock, v_size_ - row);
        for (size_t i = 0; i < block; ++i, to += kRowBlock) {
          std::copy_n(v + (key + i) * v_.strides[2] + row, count, to);
          std::fill(to + count, to + kRowBlock, 0.0f);
        }
      }
    }
  }

  // Queries [first, first + tile_) of one head.
  void Attend(const RunContext& context, size_t b, size_t head, size_t first, const float* k, const float* v,
              float* scratch) const noexcept {
    const size_t count = std::min(tile_, queries_ - first);
    const size_t width = RoundUp(count, kRowBlock);
    float* const panel = scratch;                    // [size, tile]
    float* const scores = panel + size_ * tile_;     // [key block, tile]
    float* const mask = scores + kKeyBlock * tile_;  // the same
    float* const sums = mask + kKeyBlock * tile_;    // [v_size, tile]
    float* const max = sums + v_size_ * tile_;       // [tile]
    float* const total = max + tile_;                // [tile]
    float* const factor = total + tile_;             // [tile]
    std::fill_n(panel, size_ * tile_, 0.0f);
    if (has_mask_) std::fill_n(mask, kKeyBlock * tile_, 0.0f);
    std::fill_n(sums, v_size_ * tile_, 0.0f);
    std::fill_n(max, tile_, -std::numeric_limits<float>::max());
    std::fill_n(total, tile_, 0.0f);
    const float* q = At(context, q_, b, head) + first * q_.strides[2];
    kernels_.transpose(q, q_.strides[2], count, size_, panel, tile_);
    if (scale_ != 1.0f) kernels_.unary(UnaryOp::kAffine, scale_, 0.0f, panel, panel, size_ * tile_);

    const BlockMatrix keys{keys_, size_, nullptr, nullptr, nullptr, {k, false}};
    const size_t seen = KeysSeen(first + count - 1);
    for (size_t key = 0; key < seen; key += kKeyBlock) {
      const size_t block = std::min(kKeyBlock, keys_ - key);
      Epilogue epilogue = EpilogueOf(Activation{});
      if (has_mask_) AddMask(context, b, head, first, count, key, block, mask, &epilogue);
      kernels_.panel_matmul_block16(keys, key, key + block, Panel{panel, rows_.data(), tile_}, width,
                                    scores - key * tile_, tile_, epilogue);
      if (causal_) Hide(first, count, key, block, scores);
      kernels_.online_softmax(scores, block, tile_, width, max, total, factor);
      const BlockMatrix values{v_size_, block,   nullptr,
                               nullptr, nullptr, {v + key * RoundUp(v_size_, kRowBlock), false}};
      epilogue = EpilogueOf(Activation{});
      if (key > 0) {
        for (size_t d = 0; d < v_size_; ++d)
          kernels_.binary(BinaryOp::kMul, sums + d * tile_, 1, factor, 1, sums + d * tile_, width);
        epilogue.residual = sums;
        epilogue.residual_stride = tile_;
      }
      kernels_.panel_matmul_block16(values, 0, v_size_, Panel{scores, rows_.data(), tile_}, width, sums,
                                    tile_, epilogue);
    }
    for (size_t d = 0; d < v_size_; ++d)
      kernels_.binary(BinaryOp::kDiv, sums + d * tile_, 1, total, 1, sums + d * tile_, width);
    float* y = context.At<float>(y_.address) + b * y_.strides[0] + head * y_.strides[1];
    kernels_.transpose(sums, tile_, v_size_, count, y + first * y_.strides[2], y_.strides[2]);
  }

  size_t KeysSeen(size_t query) const noexcept {
    if (!causal_) return keys_;
    return std::min(keys_, query + 1 + past_);
  }

  // Has the product add the mask of a block: as its bias where all queries share it, else as its residual.
  void AddMask(const RunContext& context, size_t b, size_t head, size_t first, size_t count, size_t key,
               size_t block, float* transposed, Epilogue* epilogue) const noexcept {
    const auto& s = mask_.strides;
    const float* mask =
        context.At<const float>(mask_.address) + b * s[0] + head * s[1] + first * s[2] + key * s[3];
    if (s[3] == 0) {  // one number for all keys of a query
      for (size_t i = 0; i < count; ++i) transposed[i] = mask[i * s[2]];
      epilogue->residual = transposed;
      epilogue->residual_stride = 0;
    } else if (s[2] == 0) {
      epilogue->bias = mask - key;
    } else {
      kernels_.transpose(mask, s[2], count, block, transposed, tile_);
      epilogue->residual = transposed - key * tile_;
      epilogue->residual_stride = tile_;
    }
  }

  void Hide(size_t first, size_t count, size_t key, size_t block, float* scores) const noexcept {
    for (size_t i = 0; i < count; ++i) {
      const size_t seen = KeysSeen(first + i);
      for (size_t j = seen > key ? seen - key : 0; j < block; ++j)
        scores[j * tile_ + i] = -std::numeric_limits<float>::infinity();
    }
  }

  const KernelTable& kernels_;
  const size_t batch_, heads_, kv_heads_, queries_, keys_, size_, v_size_;
  const bool causal_;
  const size_t past_;
  const bool has_mask_;
  const float scale_;
  Strided<3> q_, k_, v_, y_;
  Strided<4> mask_;
  size_t tile_ = 0;   // queries of a chunk, a multiple of 16
  size_t tiles_ = 0;  // for each head
  size_t k_floats_ = 0;
  size_t v_floats_ = 0;
  std::vector<size_t> starts_;
  std::vector<uint32_t> rows_;  // of a panel of tile_ columns
};

}  // namespace

std::unique_ptr<Step> MakeAttention(const StepSpec& spec, const BuildContext& build) {
  return std::make_unique<Attention>(spec, build);
}

}  // namespace espalier
