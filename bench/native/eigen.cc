// Eigen's product of a CSR matrix and a dense one, y^T = W^T x^T, with both activations channel-major:
// Eigen's loops over the tokens of one weight are vectorised only when the tokens of a channel are neighbours
// in memory.
#include <Eigen/SparseCore>

#include "peer.h"

namespace peers {
namespace {

using Dense = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Vector = Eigen::Matrix<float, Eigen::Dynamic, 1>;
using Sparse = Eigen::SparseMatrix<float, Eigen::RowMajor>;

Sparse CompressTransposed(const Product& product) {
  Sparse result(static_cast<Eigen::Index>(product.outputs), static_cast<Eigen::Index>(product.inputs));
  for (std::size_t output = 0; output < product.outputs; ++output) {
    const auto row = static_cast<Eigen::Index>(output);
    result.startVec(row);
    for (std::size_t input = 0; input < product.inputs; ++input) {
      const float weight = product.weights[input * product.outputs + output];
      if (weight != 0) result.insertBack(row, static_cast<Eigen::Index>(input)) = weight;
    }
  }
  result.finalize();
  return result;
}

/// Activations is Dense, or Vector for one token, whose product Eigen computes by dot products.
template <typename Activations>
class EigenCsr : public Peer {
 public:
  explicit EigenCsr(const Product& product)
      : tokens_(product.tokens), outputs_(product.outputs), weights_(CompressTransposed(product)) {
    const auto inputs = static_cast<Eigen::Index>(product.inputs);
    const auto tokens = static_cast<Eigen::Index>(product.tokens);
    x_ = Eigen::Map<const Dense>(product.x.data(), tokens, inputs).transpose();
    y_.resize(static_cast<Eigen::Index>(product.outputs), tokens);
  }

  void Run() override { y_.noalias() = weights_ * x_; }

  std::vector<float> Output() const override {
    return Transpose({y_.data(), y_.data() + y_.size()}, outputs_, tokens_);
  }

 private:
  std::size_t tokens_, outputs_;
  Sparse weights_;     // [outputs, inputs]
  Activations x_, y_;  // [inputs, tokens], [outputs, tokens]
};

}  // namespace

std::unique_ptr<Peer> MakeEigen(const Product& product) {
  if (product.tokens == 1) return std::make_unique<EigenCsr<Vector>>(product);
  return std::make_unique<EigenCsr<Dense>>(product);
}

}  // namespace peers
