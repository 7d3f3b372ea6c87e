#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>

#include "formats/model_file.h"

namespace espalier {

// The JavaScript class NativeModelFile: src/native/addon.ts declares its methods.
class ModelFileWrap : public Napi::ObjectWrap<ModelFileWrap> {
 public:
  static Napi::Function Define(Napi::Env env);
  // Throws Error{kArgument} unless the value is a NativeModelFile.
  static std::shared_ptr<const ModelFile> From(const Napi::Value& value);

  explicit ModelFileWrap(const Napi::CallbackInfo& info);
  void Finalize(Napi::Env env) override;

 private:
  // Throws Error{kReleased} once it was released.
  const std::shared_ptr<const ModelFile>& file() const;
  void LetGo(Napi::Env env);

  Napi::Value Size(const Napi::CallbackInfo& info);
  Napi::Value Mapped(const Napi::CallbackInfo& info);
  Napi::Value Read(const Napi::CallbackInfo& info);
  void Release(const Napi::CallbackInfo& info);

  std::shared_ptr<const ModelFile> file_;
  int64_t reported_ = 0;  // bytes of memory that V8 was told of
};

}  // namespace espalier
