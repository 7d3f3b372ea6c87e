#pragma once

#include <napi.h>

#include <functional>
#include <new>
#include <string>
#include <utility>

#include "addon/errors.h"
#include "core/error.h"

namespace espalier {

// Runs a function that knows nothing of JavaScript on libuv's pool, for work of seconds that is not a run of
// a session. `alive` keeps what the function reads and writes.
class AsyncWork : public Napi::AsyncWorker {
 public:
  static Napi::Value Start(const Napi::Object& alive, std::function<void()> work) {
    auto* self = new AsyncWork(alive, std::move(work));  // deletes itself
    const Napi::Promise promise = self->deferred_.Promise();
    self->Queue();
    return promise;
  }

 protected:
  void Execute() override {
    try {
      work_();
    } catch (const Error& error) {
      Fail(error.code(), error.what());
    } catch (const std::bad_alloc&) {
      Fail(ErrorCode::kMemory, "Expected enough memory, got none");
    } catch (const std::exception& error) {
      Fail(ErrorCode::kInternal, error.what());
    }
  }
  void OnOK() override {
    if (failed_) {
      deferred_.Reject(MakeError(Env(), code_, message_).Value());
    } else {
      deferred_.Resolve(Env().Undefined());
    }
  }

 private:
  AsyncWork(const Napi::Object& alive, std::function<void()> work)
      : Napi::AsyncWorker(alive.Env()),
        work_(std::move(work)),
        deferred_(Napi::Promise::Deferred::New(alive.Env())),
        alive_(Napi::Persistent(alive)) {}

  void Fail(ErrorCode code, const char* message) {
    failed_ = true;
    code_ = code;
    message_ = message;
  }

  std::function<void()> work_;
  Napi::Promise::Deferred deferred_;
  Napi::ObjectReference alive_;
  bool failed_ = false;
  ErrorCode code_ = ErrorCode::kInternal;
  std::string message_;
};

}  // namespace espalier
