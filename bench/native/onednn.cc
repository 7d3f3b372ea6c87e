// oneDNN, dense, by its matmul primitive: weights go into the layout that the library prefers, once, which
// dnnl_sgemm cannot do, and which makes it the faster of the two.
#include <dnnl.hpp>
#include <unordered_map>

#include "peer.h"

namespace peers {
namespace {

using dnnl::memory;

class OneDnn : public Peer {
 public:
  explicit OneDnn(const Product& product)
      : x_(product.x),
        y_(product.tokens * product.outputs),
        engine_(dnnl::engine::kind::cpu, 0),
        stream_(engine_) {
    const auto tokens = static_cast<memory::dim>(product.tokens);
    const auto inputs = static_cast<memory::dim>(product.inputs);
    const auto outputs = static_cast<memory::dim>(product.outputs);
    const auto type = memory::data_type::f32;
    const memory::desc x({tokens, inputs}, type, memory::format_tag::ab);
    const memory::desc rows({inputs, outputs}, type, memory::format_tag::ab);
    const memory::desc any({inputs, outputs}, type, memory::format_tag::any);
    const memory::desc y({tokens, outputs}, type, memory::format_tag::ab);
    const dnnl::matmul::primitive_desc description({x, any, y}, engine_);
    std::vector<float> source = product.weights;
    memory given(rows, engine_, source.data());
    memory packed(description.weights_desc(), engine_);
    dnnl::reorder(given, packed).execute(stream_, given, packed);
    stream_.wait();
    matmul_ = dnnl::matmul(description);
    arguments_ = {{DNNL_ARG_SRC, memory(x, engine_, x_.data())},
                  {DNNL_ARG_WEIGHTS, packed},
                  {DNNL_ARG_DST, memory(y, engine_, y_.data())}};
  }

  void Run() override {
    matmul_.execute(stream_, arguments_);
    stream_.wait();
  }

  std::vector<float> Output() const override { return y_; }

 private:
  std::vector<float> x_, y_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::matmul matmul_;
  std::unordered_map<int, memory> arguments_;
};

}  // namespace

std::unique_ptr<Peer> MakeOneDnn(const Product& product) { return std::make_unique<OneDnn>(product); }

}  // namespace peers
