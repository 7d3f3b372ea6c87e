#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/shared_bytes.h"
#include "runtime/step.h"
#include "runtime/thread_team.h"

namespace espalier {

enum class RunStatus { kDone, kCancelled, kFailed };

// An executable graph for one set of input shapes. Everything a run needs is allocated here, once.
class Plan {
 public:
  // Throws Error when a step cannot be built or a tensor lies outside its memory.
  Plan(const PlanSpec& spec, const KernelTable& kernels, size_t threads, std::vector<SharedBytes> constants,
       const std::function<std::shared_ptr<const PackedWeights>(size_t)>& weights);

  size_t input_count() const { return input_bytes_.size(); }
  size_t output_count() const { return output_bytes_.size(); }
  size_t input_bytes(size_t i) const { return input_bytes_[i]; }
  size_t output_bytes(size_t i) const { return output_bytes_[i]; }

  // inputs[i] and outputs[i] point to input_bytes(i) and output_bytes(i) bytes. One run at a time.
  // Allocates nothing. Stops early when `cancel` becomes true. `step_seconds` [step_count()] takes how long
  // each step took, or is null.
  RunStatus Run(ThreadTeam& team, const uint8_t* const* inputs, uint8_t* const* outputs,
                const std::atomic<bool>& cancel, double* step_seconds = nullptr) noexcept;

  size_t step_count() const { return steps_.size(); }

  // After kFailed: what went wrong and in which node.
  std::string FailureMessage() const;

 private:
  // Chunks [begin, end) of a step that need nothing from one another.
  struct Stage {
    size_t step;
    size_t begin;
    size_t end;
  };
  void RunThread(size_t thread) noexcept;
  void RunStage(size_t stage, const RunContext& context, uint8_t* scratch) noexcept;
  Address Resolve(const TensorRef& tensor) const;

  std::vector<size_t> input_bytes_;
  std::vector<size_t> output_bytes_;
  std::vector<SharedBytes> constants_;  // those of the session, then those of the plan
  size_t session_constants_ = 0;
  AlignedBuffer<uint8_t> arena_;
  std::vector<std::unique_ptr<Step>> steps_;
  std::vector<Stage> stages_;
  bool has_parallel_stage_ = false;               // of more than one chunk
  size_t scratch_bytes_ = 0;                      // per thread
  AlignedBuffer<uint8_t> scratch_;                // [threads, scratch_bytes_]
  AlignedBuffer<uint8_t> shared_;                 // of the step that runs
  std::vector<uint8_t*> bases_;                   // by slot
  std::vector<std::atomic<size_t>> next_chunk_;   // by stage
  std::vector<std::atomic<size_t>> done_chunks_;  // by stage
  std::atomic<const char*> failure_{nullptr};
  std::atomic<const void*> failed_step_{nullptr};
  const std::atomic<bool>* cancel_ = nullptr;
  double* step_seconds_ = nullptr;
};

}  // namespace espalier
