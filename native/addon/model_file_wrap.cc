#include "addon/model_file_wrap.h"

#include "addon/convert.h"
#include "addon/errors.h"

namespace espalier {
namespace {

// Tells a NativeModelFile from any other object.
constexpr napi_type_tag kTag = {0x6573702d6d6f6465, 0x6c2d66696c652d31};

}  // namespace

Napi::Function ModelFileWrap::Define(Napi::Env env) {
  return DefineClass(
      env, "NativeModelFile",
      {InstanceAccessor<&ModelFileWrap::Size>("size"), InstanceAccessor<&ModelFileWrap::Mapped>("mapped"),
       InstanceMethod<&ModelFileWrap::Read>("read"), InstanceMethod<&ModelFileWrap::Release>("release")});
}

// new NativeModelFile(path, map), new NativeModelFile(bytes)
ModelFileWrap::ModelFileWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<ModelFileWrap>(info) {
  Guarded(info.Env(), [&] {
    if (info[0].IsString()) {
      file_ = ModelFile::Open(ToString(info[0], "path"), info[1].ToBoolean());
    } else {
      const ByteView bytes = ToBytes(info[0], "bytes");
      file_ = ModelFile::FromBytes(bytes.data, bytes.size);
    }
    info.This().As<Napi::Object>().TypeTag(&kTag);
    // The object is small: without this, V8 lets many of them wait. Mapped pages are the system's to take
    // back.
    if (!file_->mapped()) reported_ = static_cast<int64_t>(file_->size());
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), reported_);
  });
}

void ModelFileWrap::Finalize(Napi::Env env) { LetGo(env); }

void ModelFileWrap::LetGo(Napi::Env env) {
  file_.reset();
  if (reported_ != 0) Napi::MemoryManagement::AdjustExternalMemory(env, -reported_);
  reported_ = 0;
}

const std::shared_ptr<const ModelFile>& ModelFileWrap::file() const {
  if (!file_) throw Error(ErrorCode::kReleased, "The model's file was released");
  return file_;
}

std::shared_ptr<const ModelFile> ModelFileWrap::From(const Napi::Value& value) {
  const Napi::Object object = ToObject(value, "a model file");
  if (!object.CheckTypeTag(&kTag)) throw Error(ErrorCode::kArgument, "Expected a NativeModelFile");
  return Unwrap(object)->file();
}

// bytes
Napi::Value ModelFileWrap::Size(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(),
                 [&] { return Napi::Number::New(info.Env(), static_cast<double>(file()->size())); });
}

Napi::Value ModelFileWrap::Mapped(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] { return Napi::Boolean::New(info.Env(), file()->mapped()); });
}

// (offset, size) -> a copy of the bytes
Napi::Value ModelFileWrap::Read(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const ByteRange range = ToByteRange(info[0], info[1]);
    file()->Check(range);
    Napi::Uint8Array bytes = Napi::Uint8Array::New(info.Env(), range.size);
    file()->Read(range, bytes.Data());
    return bytes;
  });
}

// Gives the bytes back, unless a session still uses them.
void ModelFileWrap::Release(const Napi::CallbackInfo& info) { LetGo(info.Env()); }

}  // namespace espalier
