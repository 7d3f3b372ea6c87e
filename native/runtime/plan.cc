#include "runtime/plan.h"

#include <algorithm>
#include <chrono>

#include "core/error.h"

namespace espalier {

namespace {

using Clock = std::chrono::steady_clock;

// Stands for a step whose outputs have no elements: operators need not care for those.
class NothingToDo final : public Step {
 public:
  explicit NothingToDo(std::string name) : Step(std::move(name)) { chunks_ = 0; }
  void Run(const RunContext&, size_t, uint8_t*) const noexcept override {}
};

bool WritesNothing(const StepSpec& step) {
  const auto empty = [](const TensorRef& output) { return output.Elements() == 0; };
  return !step.outputs.empty() && std::all_of(step.outputs.begin(), step.outputs.end(), empty);
}

}  // namespace

Plan::Plan(const PlanSpec& spec, const KernelTable& kernels, size_t threads,
           std::vector<SharedBytes> constants,
           const std::function<std::shared_ptr<const PackedWeights>(size_t)>& weights)
    : input_bytes_(spec.input_bytes),
      output_bytes_(spec.output_bytes),
      constants_(std::move(constants)),
      session_constants_(constants_.size()),
      arena_(spec.arena_bytes) {
  for (const std::vector<uint8_t>& bytes : spec.constants) {
    AlignedBuffer<uint8_t> constant(bytes.size());
    if (!bytes.empty()) std::memcpy(constant.data(), bytes.data(), bytes.size());
    constants_.emplace_back(std::move(constant));
  }
  bases_.assign(1 + input_bytes_.size() + output_bytes_.size() + constants_.size(), nullptr);
  bases_[0] = arena_.data();
  for (size_t i = 0; i < constants_.size(); ++i) {
    // Steps never write to a constant: only an output may be resolved for writing.
    bases_[1 + input_bytes_.size() + output_bytes_.size() + i] = const_cast<uint8_t*>(constants_[i].data());
  }

  const auto weight_bytes = [&spec, &weights] {
    size_t bytes = 0;
    for (const StepSpec& step : spec.steps) {
      for (const size_t id : step.weights) bytes += weights(id)->byte_size();
    }
    return bytes;
  };
  const BuildContext build{kernels, threads, [this](const TensorRef& tensor) { return Resolve(tensor); },
                           weights, weight_bytes};
  size_t shared_bytes = 0;
  for (const StepSpec& step : spec.steps) {
    const StepFactory factory = FindStepFactory(step.op);
    step.Expect(factory != nullptr, "a native operator");
    for (const TensorRef& output : step.outputs) {
      step.Expect(output.space == Space::kArena || output.space == Space::kOutput,
                  "outputs in the arena or an output");
    }
    steps_.push_back(WritesNothing(step) ? std::make_unique<NothingToDo>(step.name) : factory(step, build));
    const Step& made = *steps_.back();
    scratch_bytes_ = std::max(scratch_bytes_, RoundUp(made.scratch_bytes(), 4096));
    shared_bytes = std::max(shared_bytes, made.shared_bytes());
    const size_t index = steps_.size() - 1;
    if (made.first_stage_chunks() > 0) stages_.push_back({index, 0, made.first_stage_chunks()});
    stages_.push_back({index, made.first_stage_chunks(), made.chunks()});
  }
  for (const Stage& stage : stages_) has_parallel_stage_ |= stage.end - stage.begin > 1;
  shared_ = AlignedBuffer<uint8_t>(shared_bytes);
  next_chunk_ = std::vector<std::atomic<size_t>>(stages_.size());
  done_chunks_ = std::vector<std::atomic<size_t>>(stages_.size());
  scratch_ = AlignedBuffer<uint8_t>(MultiplySizes(scratch_bytes_, threads));
}

Address Plan::Resolve(const TensorRef& tensor) const {
  size_t available = 0;
  size_t slot = 0;
  const size_t first_output = 1 + input_bytes_.size();
  const size_t first_constant = first_output + output_bytes_.size();
  size_t index = tensor.index;
  switch (tensor.space) {
    case Space::kArena:
      available = arena_.size();
      break;
    case Space::kInput:
      available = index < input_bytes_.size() ? input_bytes_[index] : 0;
      slot = 1 + index;
      break;
    case Space::kOutput:
      available = index < output_bytes_.size() ? output_bytes_[index] : 0;
      slot = first_output + index;
      break;
    case Space::kConstant:
    case Space::kPlanConstant:
      if (tensor.space == Space::kPlanConstant) index += session_constants_;
      available = index < constants_.size() ? constants_[index].size() : 0;
      slot = first_constant + index;
      break;
  }
  if (slot >= bases_.size() || tensor.offset > available || tensor.Bytes() > available - tensor.offset) {
    throw Error(ErrorCode::kInternal, "Expected " + Describe(tensor) + " inside " +
                                          std::to_string(available) + " bytes, got offset " +
                                          std::to_string(tensor.offset));
  }
  if (tensor.offset % SizeOf(tensor.dtype) != 0) {
    throw Error(ErrorCode::kInternal, "Expected " + Describe(tensor) +
                                          " at a multiple of its element's size, got offset " +
                                          std::to_string(tensor.offset));
  }
  return Address{slot, tensor.offset};
}

RunStatus Plan::Run(ThreadTeam& team, const uint8_t* const* inputs, uint8_t* const* outputs,
                    const std::atomic<bool>& cancel, double* step_seconds) noexcept {
  // Steps never write to an input, as for constants.
  for (size_t i = 0; i < input_bytes_.size(); ++i) bases_[1 + i] = const_cast<uint8_t*>(inputs[i]);
  for (size_t i = 0; i < output_bytes_.size(); ++i) bases_[1 + input_bytes_.size() + i] = outputs[i];
  for (std::atomic<size_t>& next : next_chunk_) next.store(0, std::memory_order_relaxed);
  for (std::atomic<size_t>& done : done_chunks_) done.store(0, std::memory_order_relaxed);
  failure_.store(nullptr, std::memory_order_relaxed);
  cancel_ = &cancel;
  step_seconds_ = step_seconds;
  const auto run = [](void* self, size_t thread) { static_cast<Plan*>(self)->RunThread(thread); };
  if (has_parallel_stage_) {
    team.Run(run, this);
  } else {
    ThreadTeam::RunAlone(run, this);
  }
  if (failure_.load(std::memory_order_relaxed) != nullptr) return RunStatus::kFailed;
  return cancel.load(std::memory_order_relaxed) ? RunStatus::kCancelled : RunStatus::kDone;
}

// Every thread of the team walks through the steps. What a step needs is that all chunks of those before it
// are done, not that all threads are there: one that the system holds up holds up the others only while it
// has a chunk.
void Plan::RunThread(size_t thread) noexcept {
  const RunContext context{bases_.data(), shared_.data(), &failure_, &failed_step_};
  uint8_t* const scratch = scratch_.data() + thread * scratch_bytes_;
  const bool timed = step_seconds_ != nullptr && thread == 0;
  if (timed) std::fill_n(step_seconds_, steps_.size(), 0.0);
  for (size_t i = 0; i < stages_.size(); ++i) {
    const Clock::time_point start = timed ? Clock::now() : Clock::time_point();
    RunStage(i, context, scratch);
    if (timed) step_seconds_[stages_[i].step] += std::chrono::duration<double>(Clock::now() - start).count();
  }
}

void Plan::RunStage(size_t stage, const RunContext& context, uint8_t* scratch) noexcept {
  const Step& step = *steps_[stages_[stage].step];
  const size_t begin = stages_[stage].begin;
  const size_t chunks = stages_[stage].end - begin;
  for (;;) {
    const size_t chunk = next_chunk_[stage].fetch_add(1, std::memory_order_relaxed);
    if (chunk >= chunks) break;
    // A run that was cancelled or has failed still counts its chunks, so that all threads come to its end.
    const bool skip =
        cancel_->load(std::memory_order_relaxed) || failure_.load(std::memory_order_relaxed) != nullptr;
    if (!skip) step.Run(context, begin + chunk, scratch);
    done_chunks_[stage].fetch_add(1, std::memory_order_release);
  }
  WaitFor(done_chunks_[stage], chunks);
}

std::string Plan::FailureMessage() const {
  const char* message = failure_.load();
  const auto* step = static_cast<const Step*>(failed_step_.load());
  return "Node \"" + (step ? step->name() : std::string()) + "\": " + (message ? message : "unknown failure");
}

}  // namespace espalier
