#include "addon/errors.h"

namespace espalier {

void SetErrorClass(Napi::Env env, const Napi::Function& error_class) {
  // One per environment (worker), freed by Node with it.
  env.SetInstanceData(new Napi::FunctionReference(Napi::Persistent(error_class)));
}

Napi::Error MakeError(Napi::Env env, ErrorCode code, const std::string& message) {
  auto* error_class = env.GetInstanceData<Napi::FunctionReference>();
  if (error_class == nullptr) return Napi::Error::New(env, message);
  const Napi::String code_name = Napi::String::New(env, ErrorCodeName(code));
  return Napi::Error(env, error_class->New({code_name, Napi::String::New(env, message)}));
}

}  // namespace espalier
