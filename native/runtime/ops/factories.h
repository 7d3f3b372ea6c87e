#pragma once

#include <memory>

#include "runtime/step.h"

namespace espalier {

// One native operator each; ops/NAME.cc says what it reads from the spec. registry.cc gives them their names.
std::unique_ptr<Step> MakeArgExtreme(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeAttention(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeBatchMatmul(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeBinary(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeCast(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeCompare(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeConv2d(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeConvScatter(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeCopy(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeDepthwiseConv2d(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeDequantize(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeFill(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeFold(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeGather(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeGatherAt(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeGridSample(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeLayerNorm(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeMatmul(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakePlainMatmul(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakePool2d(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeRecurrent(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeQuantize(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeReduce(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeResize2d(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeRoiAlign(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeScan(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeScatterAt(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeSoftmax(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeTopK(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeUnary(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeWhere(const StepSpec& spec, const BuildContext& build);
std::unique_ptr<Step> MakeWinogradConv2d(const StepSpec& spec, const BuildContext& build);

}  // namespace espalier
