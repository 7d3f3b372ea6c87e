#include "runtime/session.h"

#include "core/error.h"
#include "formats/winograd.h"

namespace espalier {

Session::Session(const KernelTable& kernels, size_t threads, size_t spin_microseconds)
    : kernels_(kernels), team_(threads, spin_microseconds) {}

size_t Session::AddConstant(const uint8_t* bytes, size_t byte_length) {
  AlignedBuffer<uint8_t> constant(byte_length);
  if (byte_length != 0) std::memcpy(constant.data(), bytes, byte_length);
  constants_.emplace_back(std::move(constant));
  return constants_.size() - 1;
}

void Session::UseFile(std::shared_ptr<const ModelFile> file) {
  if (file_ != nullptr) throw Error(ErrorCode::kArgument, "Expected one file for a session, got a second");
  file_ = std::move(file);
}

const ModelFile& Session::File() const {
  if (file_ == nullptr) throw Error(ErrorCode::kArgument, "Expected a file that the session uses, got none");
  return *file_;
}

size_t Session::AddConstant(ByteRange range) {
  constants_.push_back(File().Numbers(range));
  return constants_.size() - 1;
}

size_t Session::AddWeights(const MatrixView& view, WeightFormat format, Storage storage) {
  weights_.push_back(std::make_shared<PackedWeights>(PackedWeights::Pack(view, format, storage)));
  return weights_.size() - 1;
}

size_t Session::AddWinogradWeights(const MatrixView& filters, Storage storage) {
  const std::vector<float> transformed = WinogradFilters(filters);
  const size_t channels = filters.cols / 9;
  return AddWeights({reinterpret_cast<const uint8_t*>(transformed.data()), transformed.size() * sizeof(float),
                     transformed.size() / channels, channels, 0, channels, 1},
                    WeightFormat::kDense, storage);
}

size_t Session::AddWeights(const PackedShape& shape, const ModelFile::Ranges& sections) {
  weights_.push_back(File().Weights(shape, sections));
  return weights_.size() - 1;
}

void Session::RemoveWeights(size_t id) {
  FindWeights(id);
  weights_[id].reset();
}

const PackedWeights& Session::FindWeights(size_t id) const {
  if (id >= weights_.size() || weights_[id] == nullptr)
    throw Error(ErrorCode::kArgument, "Expected an id of packed weights, got " + std::to_string(id));
  return *weights_[id];
}

size_t Session::CreatePlan(const PlanSpec& spec) {
  auto plan = std::make_shared<Plan>(spec, kernels_, threads(), constants_, [this](size_t id) {
    FindWeights(id);
    return weights_[id];
  });
  plans_.emplace(next_plan_, std::move(plan));
  return next_plan_++;
}

std::shared_ptr<Plan> Session::FindPlan(size_t id) const {
  const auto found = plans_.find(id);
  return found == plans_.end() ? nullptr : found->second;
}

void Session::Run(Plan& plan, const uint8_t* const* inputs, uint8_t* const* outputs, double* step_seconds) {
  std::lock_guard<std::mutex> lock(run_mutex_);
  const RunStatus status = plan.Run(team_, inputs, outputs, cancel_, step_seconds);
  if (status == RunStatus::kCancelled)
    throw Error(ErrorCode::kReleased, "The session was released during the run");
  if (status == RunStatus::kFailed) throw Error(ErrorCode::kArgument, plan.FailureMessage());
  if (file_ != nullptr) file_->CheckThere();
}

}  // namespace espalier
