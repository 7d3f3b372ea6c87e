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
       InstanceMethod<&ModelFileWrap::Read>("read")});
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
  });
}

std::shared_ptr<const ModelFile> ModelFileWrap::From(const Napi::Value& value) {
  const Napi::Object object = ToObject(value, "a model file");
  if (!object.CheckTypeTag(&kTag)) throw Error(ErrorCode::kArgument, "Expected a NativeModelFile");
  return Unwrap(object)->file_;
}

// bytes
Napi::Value ModelFileWrap::Size(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(file_->size()));
}

Napi::Value ModelFileWrap::Mapped(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), file_->mapped());
}

// (offset, size) -> a copy of the bytes
Napi::Value ModelFileWrap::Read(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const ByteRange range = ToByteRange(info[0], info[1]);
    file_->Check(range);
    Napi::Uint8Array bytes = Napi::Uint8Array::New(info.Env(), range.size);
    file_->Read(range, bytes.Data());
    return bytes;
  });
}

}  // namespace espalier
