#include "addon/session_wrap.h"

#include "addon/convert.h"
#include "addon/errors.h"
#include "addon/model_file_wrap.h"
#include "isa/isa.h"

namespace espalier {

struct SessionWrap::Call {
  std::shared_ptr<Plan> plan;
  std::vector<const uint8_t*> inputs;
  std::vector<uint8_t*> outputs;
};

// One asynchronous run. The typed arrays it reads and writes belong to nobody else while it lasts (see
// src/session.ts) and are kept alive by `arrays`.
struct SessionWrap::Job {
  Call call;
  Napi::Reference<Napi::Array> arrays;
  Napi::Promise::Deferred deferred;
  bool failed = false;
  ErrorCode code = ErrorCode::kInternal;
  std::string message;
};

Napi::Function SessionWrap::Define(Napi::Env env) {
  return DefineClass(
      env, "NativeSession",
      {InstanceMethod<&SessionWrap::UseFile>("useFile"),
       InstanceMethod<&SessionWrap::AddFileConstant>("addFileConstant"),
       InstanceMethod<&SessionWrap::AddFileWeights>("addFileWeights"),
       InstanceMethod<&SessionWrap::AddConstant>("addConstant"),
       InstanceMethod<&SessionWrap::AddWeights>("addWeights"),
       InstanceMethod<&SessionWrap::AddWinogradWeights>("addWinogradWeights"),
       InstanceMethod<&SessionWrap::RemoveWeights>("removeWeights"),
       InstanceMethod<&SessionWrap::WeightsInfo>("weightsInfo"),
       InstanceMethod<&SessionWrap::CreatePlan>("createPlan"),
       InstanceMethod<&SessionWrap::ReleasePlan>("releasePlan"),
       InstanceMethod<&SessionWrap::RunSync>("runSync"), InstanceMethod<&SessionWrap::Profile>("profile"),
       InstanceMethod<&SessionWrap::Run>("run"), InstanceMethod<&SessionWrap::Release>("release")});
}

// new NativeSession(isa, threads, spinMicroseconds)
SessionWrap::SessionWrap(const Napi::CallbackInfo& info) : Napi::ObjectWrap<SessionWrap>(info) {
  Guarded(info.Env(), [&] {
    const KernelTable& kernels = SelectKernels(ToString(info[0], "isa"));
    const size_t threads = ToSize(info[1], "threads");
    constexpr size_t kMostThreads = 256;
    if (threads < 1 || threads > kMostThreads) {
      throw Error(ErrorCode::kArgument, "Expected 1 to 256 threads, got " + std::to_string(threads));
    }
    const size_t spin = ToSize(info[2], "spinMicroseconds");
    constexpr size_t kMostSpin = 1000000;
    if (spin > kMostSpin) {
      throw Error(ErrorCode::kArgument,
                  "Expected to spin for at most 1000000 microseconds, got " + std::to_string(spin));
    }
    session_ = std::make_shared<Session>(kernels, threads, spin);
  });
}

SessionWrap::~SessionWrap() { Stop(); }

Session& SessionWrap::Get() const {
  if (!session_) throw Error(ErrorCode::kReleased, "The session was released");
  return *session_;
}

// (bytes) -> id
Napi::Value SessionWrap::AddConstant(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const ByteView bytes = ToBytes(info[0], "bytes");
    return Napi::Number::New(info.Env(), static_cast<double>(Get().AddConstant(bytes.data, bytes.size)));
  });
}

// (bytes, format, storage, rows, cols, offset, rowStride, colStride) -> id
Napi::Value SessionWrap::AddWeights(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const WeightsArguments weights = ToWeightsArguments(info);
    return Napi::Number::New(
        info.Env(), static_cast<double>(Get().AddWeights(weights.view, weights.format, weights.storage)));
  });
}

// As AddWeights, of which the format is dense.
Napi::Value SessionWrap::AddWinogradWeights(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const WeightsArguments weights = ToWeightsArguments(info);
    if (weights.format != WeightFormat::kDense) {
      throw Error(ErrorCode::kArgument, std::string("Expected dense weights, got ") + NameOf(weights.format));
    }
    return Napi::Number::New(info.Env(),
                             static_cast<double>(Get().AddWinogradWeights(weights.view, weights.storage)));
  });
}

// (file)
void SessionWrap::UseFile(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] { Get().UseFile(ModelFileWrap::From(info[0])); });
}

// (offset, size) -> id
Napi::Value SessionWrap::AddFileConstant(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const ByteRange range = ToByteRange(info[0], info[1]);
    return Napi::Number::New(info.Env(), static_cast<double>(Get().AddConstant(range)));
  });
}

// ({ format, ..., sections: { name: { offset, size } } }) -> id
Napi::Value SessionWrap::AddFileWeights(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Napi::Object packed = ToObject(info[0], "packed weights");
    const Napi::Object given = ToObject(packed.Get("sections"), "sections");
    ModelFile::Ranges ranges{};
    for (size_t i = 0; i < kSections; ++i) {
      const char* name = NameOf(static_cast<Section>(i));
      const Napi::Value section = given.Get(name);
      if (section.IsUndefined()) continue;
      const Napi::Object range = ToObject(section, name);
      ranges[i] = ToByteRange(range.Get("offset"), range.Get("size"));
    }
    return Napi::Number::New(info.Env(),
                             static_cast<double>(Get().AddWeights(ToPackedShape(packed), ranges)));
  });
}

// (id)
void SessionWrap::RemoveWeights(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] { Get().RemoveWeights(ToSize(info[0], "weights")); });
}

// (id) -> { bytes, storedValues }
Napi::Value SessionWrap::WeightsInfo(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const PackedWeights& weights = Get().FindWeights(ToSize(info[0], "weights"));
    const Napi::Object result = Napi::Object::New(info.Env());
    result.Set("bytes", static_cast<double>(weights.byte_size()));
    result.Set("storedValues", static_cast<double>(weights.stored_values()));
    return result;
  });
}

// (spec) -> id
Napi::Value SessionWrap::CreatePlan(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    return Napi::Number::New(info.Env(), static_cast<double>(Get().CreatePlan(ToPlanSpec(info[0]))));
  });
}

// (id)
void SessionWrap::ReleasePlan(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] { Get().ReleasePlan(ToSize(info[0], "plan")); });
}

// (plan, inputs, outputs): checks every typed array against the plan before any of them is touched.
SessionWrap::Call SessionWrap::ReadCall(const Napi::CallbackInfo& info) const {
  Call call;
  call.plan = Get().FindPlan(ToSize(info[0], "plan"));
  if (!call.plan) throw Error(ErrorCode::kArgument, "Expected the id of a plan");
  if (!info[1].IsArray() || !info[2].IsArray())
    throw Error(ErrorCode::kArgument, "Expected arrays of inputs and outputs");
  const Napi::Array inputs = info[1].As<Napi::Array>();
  const Napi::Array outputs = info[2].As<Napi::Array>();
  const auto check = [](size_t expected, size_t got, const char* what) {
    if (expected == got) return;
    throw Error(ErrorCode::kShape, std::string("Expected ") + std::to_string(expected) + " " + what +
                                       ", got " + std::to_string(got));
  };
  check(call.plan->input_count(), inputs.Length(), "inputs");
  check(call.plan->output_count(), outputs.Length(), "outputs");
  for (uint32_t i = 0; i < inputs.Length(); ++i) {
    const ByteView bytes = ToBytes(inputs.Get(i), "an input");
    check(call.plan->input_bytes(i), bytes.size, "bytes of an input");
    call.inputs.push_back(bytes.data);
  }
  for (uint32_t i = 0; i < outputs.Length(); ++i) {
    const ByteView bytes = ToBytes(outputs.Get(i), "an output");
    check(call.plan->output_bytes(i), bytes.size, "bytes of an output");
    call.outputs.push_back(bytes.data);
  }
  return call;
}

// (plan, inputs, outputs)
void SessionWrap::RunSync(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] {
    const Call call = ReadCall(info);
    Get().Run(*call.plan, call.inputs.data(), call.outputs.data());
  });
}

// (plan, inputs, outputs) -> seconds of each step
Napi::Value SessionWrap::Profile(const Napi::CallbackInfo& info) {
  return Guarded(info.Env(), [&] {
    const Call call = ReadCall(info);
    Napi::Float64Array seconds = Napi::Float64Array::New(info.Env(), call.plan->step_count());
    Get().Run(*call.plan, call.inputs.data(), call.outputs.data(), seconds.Data());
    return seconds;
  });
}

// (plan, inputs, outputs) -> promise
Napi::Value SessionWrap::Run(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  return Guarded(env, [&]() -> Napi::Value {
    Call call = ReadCall(info);
    StartExecutor(env);
    const Napi::Array arrays = Napi::Array::New(env, 3);
    arrays.Set(0u, info[1]);
    arrays.Set(1u, info[2]);
    arrays.Set(2u, info.This());  // the session outlives its runs
    auto job = std::make_unique<Job>(Job{std::move(call), Napi::Reference<Napi::Array>::New(arrays, 1),
                                         Napi::Promise::Deferred::New(env), false, ErrorCode::kInternal, ""});
    if (pending_.empty()) finished_.Ref(env);  // an unfinished run keeps the process alive
    const Napi::Promise promise = job->deferred.Promise();
    Job* raw = job.release();
    pending_.insert(raw);
    executor_->Post([this, raw, session = session_] {
      try {
        session->Run(*raw->call.plan, raw->call.inputs.data(), raw->call.outputs.data());
      } catch (const Error& error) {
        raw->failed = true;
        raw->code = error.code();
        raw->message = error.what();
      } catch (const std::exception&) {  // no memory for a message
        raw->failed = true;
      }
      finished_.NonBlockingCall(
          raw, [this](Napi::Env js_env, Napi::Function, Job* done) { Finish(js_env, done); });
    });
    return promise;
  });
}

void SessionWrap::StopHook(void* self) { static_cast<SessionWrap*>(self)->Stop(); }

void SessionWrap::StartExecutor(Napi::Env env) {
  if (executor_) return;
  auto executor = std::make_unique<Executor>();  // first: it may fail
  finished_ = Napi::ThreadSafeFunction::New(env, Napi::Function(), "espalier run", 0, 1);
  finished_.Unref(env);
  executor_ = std::move(executor);
  // Hooks run last in, first out: this one stops the thread before Node closes the function it calls.
  napi_add_env_cleanup_hook(env, StopHook, this);
}

void SessionWrap::Finish(Napi::Env env, Job* raw) {
  if (pending_.erase(raw) == 0) return;
  const std::unique_ptr<Job> job(raw);
  if (pending_.empty()) finished_.Unref(env);
  if (pending_.empty() && !session_) Stop();
  if (job->failed) {
    job->deferred.Reject(MakeError(env, job->code, job->message).Value());
  } else {
    job->deferred.Resolve(env.Undefined());
  }
}

void SessionWrap::Release(const Napi::CallbackInfo& info) {
  Guarded(info.Env(), [&] {
    if (session_) session_->Cancel();
    session_.reset();  // jobs under way hold it until they end
    if (pending_.empty()) Stop();
  });
}

// Ends the runs under way and waits for the thread. Their promises stay unsettled: the environment is going
// away, or nothing refers to this session (and so to no run of it) any more.
void SessionWrap::Stop() {
  if (!executor_) return;
  napi_remove_env_cleanup_hook(Env(), StopHook, this);
  if (session_) session_->Cancel();
  executor_.reset();
  for (Job* job : pending_) delete job;
  pending_.clear();
  finished_.Release();
}

}  // namespace espalier
