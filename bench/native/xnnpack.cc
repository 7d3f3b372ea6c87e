// XNNPACK's sparse product: the operator of a 1x1 convolution in NCHW, which always skips zero weights.
// Activations are channel-major, [channels, tokens]; a token is a pixel.
#include <xnnpack.h>

#include <limits>
#include <stdexcept>

#include "peer.h"

namespace peers {
namespace {

void Check(xnn_status status) {
  if (status != xnn_status_success) throw std::runtime_error("XNNPACK: status " + std::to_string(status));
}

class Xnnpack : public Peer {
 public:
  explicit Xnnpack(const Product& product)
      : tokens_(product.tokens),
        outputs_(product.outputs),
        x_(Transpose(product.x, product.tokens, product.inputs)),
        y_(product.tokens * product.outputs) {
    Check(xnn_initialize(nullptr));
    const std::vector<float> kernel = Transpose(product.weights, product.inputs, product.outputs);
    const float infinity = std::numeric_limits<float>::infinity();
    Check(xnn_create_convolution2d_nchw_f32(0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, product.inputs, outputs_,
                                            product.inputs, outputs_, kernel.data(), nullptr, -infinity,
                                            infinity, 0, &convolution_));
    Check(xnn_setup_convolution2d_nchw_f32(convolution_, 1, 1, tokens_, x_.data(), y_.data(), nullptr));
  }

  ~Xnnpack() override { xnn_delete_operator(convolution_); }
  Xnnpack(const Xnnpack&) = delete;
  Xnnpack& operator=(const Xnnpack&) = delete;

  void Run() override { Check(xnn_run_operator(convolution_, nullptr)); }

  std::vector<float> Output() const override { return Transpose(y_, outputs_, tokens_); }

 private:
  std::size_t tokens_, outputs_;
  std::vector<float> x_, y_;  // [inputs, tokens], [outputs, tokens]
  xnn_operator_t convolution_ = nullptr;
};

}  // namespace

std::unique_ptr<Peer> MakeXnnpack(const Product& product) { return std::make_unique<Xnnpack>(product); }

}  // namespace peers
