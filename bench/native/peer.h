// What a native engine must offer to be timed: see main.cc.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace peers {

/// y = x W.
struct Product {
  std::size_t tokens, inputs, outputs;
  std::vector<float> x;        // [tokens, inputs]
  std::vector<float> weights;  // [inputs, outputs]
};

/// One product, bound to one engine: whatever can be done once for constant weights is done when it is made.
class Peer {
 public:
  virtual ~Peer() = default;
  virtual void Run() = 0;
  /// y of the last run, [tokens, outputs].
  virtual std::vector<float> Output() const = 0;
};

/// Rows become columns. Some engines want activations channel-major; the copy is made outside what is timed.
inline std::vector<float> Transpose(const std::vector<float>& matrix, std::size_t rows, std::size_t columns) {
  std::vector<float> result(matrix.size());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      result[column * rows + row] = matrix[row * columns + column];
    }
  }
  return result;
}

std::unique_ptr<Peer> MakeOneDnn(const Product& product);
std::unique_ptr<Peer> MakeEigen(const Product& product);
std::unique_ptr<Peer> MakeXnnpack(const Product& product);

}  // namespace peers
