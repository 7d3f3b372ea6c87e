// The only doors between JavaScript and C++: src/native/addon.ts declares what is exported here.

#include <napi.h>

#include "addon/errors.h"
#include "addon/linalg.h"
#include "addon/model_file_wrap.h"
#include "addon/session_wrap.h"
#include "addon/weights.h"
#include "isa/isa.h"

namespace espalier {
namespace {

// () -> names of the instruction sets this CPU can run, slowest first
Napi::Value AvailableIsas(const Napi::CallbackInfo& info) {
  const std::vector<const KernelTable*>& tables = AvailableKernels();
  const Napi::Array names = Napi::Array::New(info.Env(), tables.size());
  for (uint32_t i = 0; i < tables.size(); ++i) names.Set(i, tables[i]->isa);
  return names;
}

// (ArrayBuffer): its memory is given back at once, and it and the views of it are empty from then on
void FreeBuffer(const Napi::CallbackInfo& info) {
  if (!info[0].IsArrayBuffer()) return;
  Napi::ArrayBuffer buffer = info[0].As<Napi::ArrayBuffer>();
  if (!buffer.IsDetached()) buffer.Detach();
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("setErrorClass", Napi::Function::New(env, [](const Napi::CallbackInfo& info) {
                SetErrorClass(info.Env(), info[0].As<Napi::Function>());
              }));
  exports.Set("availableIsas", Napi::Function::New<AvailableIsas>(env));
  exports.Set("packWeights", Napi::Function::New<PackWeights>(env));
  exports.Set("unpackWeights", Napi::Function::New<UnpackWeights>(env));
  exports.Set("freeBuffer", Napi::Function::New<FreeBuffer>(env));
  exports.Set("columnGaps", Napi::Function::New<ColumnGaps>(env));
  exports.Set("NativeModelFile", ModelFileWrap::Define(env));
  DefineLinalg(env, exports);
  exports.Set("NativeSession", SessionWrap::Define(env));
  return exports;
}

}  // namespace
}  // namespace espalier

static Napi::Object InitializeAddon(Napi::Env env, Napi::Object exports) {
  return espalier::Initialize(env, exports);
}

NODE_API_MODULE(espalier, InitializeAddon)
