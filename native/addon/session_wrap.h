#pragma once

#include <napi.h>

#include <memory>
#include <set>
#include <vector>

#include "runtime/executor.h"
#include "runtime/session.h"

namespace espalier {

// The JavaScript class NativeSession: src/native/addon.ts declares its methods.
class SessionWrap : public Napi::ObjectWrap<SessionWrap> {
 public:
  static Napi::Function Define(Napi::Env env);

  explicit SessionWrap(const Napi::CallbackInfo& info);
  ~SessionWrap() override;

 private:
  struct Job;
  struct Call;  // a run's plan and pointers

  void UseFile(const Napi::CallbackInfo& info);
  Napi::Value AddFileConstant(const Napi::CallbackInfo& info);
  Napi::Value AddFileWeights(const Napi::CallbackInfo& info);
  Napi::Value AddConstant(const Napi::CallbackInfo& info);
  Napi::Value AddWeights(const Napi::CallbackInfo& info);
  Napi::Value AddWinogradWeights(const Napi::CallbackInfo& info);
  void RemoveWeights(const Napi::CallbackInfo& info);
  Napi::Value WeightsInfo(const Napi::CallbackInfo& info);
  Napi::Value CreatePlan(const Napi::CallbackInfo& info);
  void ReleasePlan(const Napi::CallbackInfo& info);
  void RunSync(const Napi::CallbackInfo& info);
  Napi::Value Profile(const Napi::CallbackInfo& info);
  Napi::Value Run(const Napi::CallbackInfo& info);
  void Release(const Napi::CallbackInfo& info);

  Session& Get() const;
  Call ReadCall(const Napi::CallbackInfo& info) const;
  void StartExecutor(Napi::Env env);
  void Finish(Napi::Env env, Job* job);
  void Stop();
  static void StopHook(void* self);

  std::shared_ptr<Session> session_;
  // Runs asynchronous jobs; made by the first one.
  std::unique_ptr<Executor> executor_;
  Napi::ThreadSafeFunction finished_;
  std::set<Job*> pending_;
};

}  // namespace espalier
