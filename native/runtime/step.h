#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "formats/packed_weights.h"
#include "kernels/kernel_types.h"
#include "runtime/plan_spec.h"

namespace espalier {

// A place in one of the memories of a run: slot 0 is the arena, then inputs, outputs and constants.
struct Address {
  size_t slot = 0;
  size_t offset = 0;  // bytes
};

// What a step sees while it runs.
struct RunContext {
  uint8_t* const* bases;              // by slot
  uint8_t* shared;                    // memory of the step for all threads, 64-byte aligned
  std::atomic<const char*>* failure;  // set by a step whose data (an index, say) cannot be used
  std::atomic<const void*>* failed_step;

  template <typename T>
  T* At(const Address& address) const {
    return reinterpret_cast<T*>(bases[address.slot] + address.offset);
  }
};

// One operator with everything decided: run as `chunks()` independent pieces, by any thread, in any order.
class Step {
 public:
  explicit Step(std::string name) : name_(std::move(name)) {}
  virtual ~Step() = default;

  size_t chunks() const { return chunks_; }
  // The first chunks are all done before any other begins: they make what the others share.
  size_t first_stage_chunks() const { return first_stage_chunks_; }
  size_t shared_bytes() const { return shared_bytes_; }    // RunContext::shared
  size_t scratch_bytes() const { return scratch_bytes_; }  // per thread, 64-byte aligned
  const std::string& name() const { return name_; }

  virtual void Run(const RunContext& context, size_t chunk, uint8_t* scratch) const noexcept = 0;

 protected:
  void Fail(const RunContext& context, const char* message) const noexcept {
    context.failed_step->store(this, std::memory_order_relaxed);
    context.failure->store(message, std::memory_order_relaxed);
  }

  size_t chunks_ = 1;
  size_t first_stage_chunks_ = 0;
  size_t shared_bytes_ = 0;
  size_t scratch_bytes_ = 0;

 private:
  std::string name_;
};

// What a step is built from.
struct BuildContext {
  const KernelTable& kernels;
  size_t threads;
  std::function<Address(const TensorRef&)> resolve;  // checks the bounds
  std::function<std::shared_ptr<const PackedWeights>(size_t id)> weights;
  std::function<size_t()> weight_bytes;  // of all steps of the plan
};

using StepFactory = std::unique_ptr<Step> (*)(const StepSpec& spec, const BuildContext& build);

// The factory of a native operator, or null.
StepFactory FindStepFactory(const std::string& op);

// [0, total) in `parts` nearly equal ranges.
struct Split {
  size_t total = 0;
  size_t parts = 1;

  size_t Begin(size_t part) const { return part * total / parts; }
  size_t End(size_t part) const { return (part + 1) * total / parts; }
};

// Ranges of at least `grain`: one for one thread, at most four per thread otherwise, so that a slow core is
// made up for.
Split SplitWork(size_t total, size_t grain, size_t threads);

}  // namespace espalier
