#include "runtime/step.h"

#include <algorithm>

namespace espalier {

Split SplitWork(size_t total, size_t grain, size_t threads) {
  const size_t most = threads == 1 ? 1 : threads * 4;
  const size_t parts = std::min(most, total / std::max<size_t>(grain, 1));
  return Split{total, std::max<size_t>(parts, 1)};
}

}  // namespace espalier
