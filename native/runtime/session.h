#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "formats/model_file.h"
#include "runtime/plan.h"

namespace espalier {

// The weights, constants and plans of one model, and the threads that run them. Runs take turns.
class Session {
 public:
  // `spin_microseconds`: see ThreadTeam.
  Session(const KernelTable& kernels, size_t threads, size_t spin_microseconds = 0);

  const KernelTable& kernels() const { return kernels_; }
  size_t threads() const { return team_.size(); }

  // Before the first run: the file whose weights and constants the session uses in place.
  void UseFile(std::shared_ptr<const ModelFile> file);

  // Each returns an id for PlanSpec. They copy what they are given, or refer to the file.
  size_t AddConstant(const uint8_t* bytes, size_t byte_length);
  size_t AddWeights(const MatrixView& view, WeightFormat format, Storage storage = Storage::kFloat32);
  // Filters [outputs, channels x 3 x 3] for winograd_conv2d: stored dense, transformed (formats/winograd.h).
  size_t AddWinogradWeights(const MatrixView& filters, Storage storage);
  size_t AddConstant(ByteRange range);
  size_t AddWeights(const PackedShape& shape, const ModelFile::Ranges& sections);
  // Plans that use them keep them. Throws Error{kArgument} for an unknown id.
  void RemoveWeights(size_t id);
  const PackedWeights& FindWeights(size_t id) const;

  size_t CreatePlan(const PlanSpec& spec);
  void ReleasePlan(size_t id) { plans_.erase(id); }
  // Null for an unknown id.
  std::shared_ptr<Plan> FindPlan(size_t id) const;

  // Runs on this thread and the team. Blocks while another run of the session is under way.
  // Throws Error when the run fails or was cancelled.
  // `step_seconds`: see Plan::Run.
  void Run(Plan& plan, const uint8_t* const* inputs, uint8_t* const* outputs, double* step_seconds = nullptr);

  // Makes the runs under way and all later ones fail with Error{kReleased}, soon.
  void Cancel() noexcept { cancel_.store(true); }

 private:
  const ModelFile& File() const;

  const KernelTable& kernels_;
  ThreadTeam team_;
  std::vector<SharedBytes> constants_;
  std::vector<std::shared_ptr<const PackedWeights>> weights_;
  std::shared_ptr<const ModelFile> file_;
  std::map<size_t, std::shared_ptr<Plan>> plans_;
  size_t next_plan_ = 0;
  std::mutex run_mutex_;
  std::atomic<bool> cancel_{false};
};

}  // namespace espalier
