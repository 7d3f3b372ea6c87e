#pragma once

#include <napi.h>

namespace espalier {

// The linear algebra of pruning. Each takes one object of arguments (see src/native/linalg.ts), works on a
// thread of libuv's pool and a team of its own, and returns a promise; the arrays must not be touched until
// it settles.
void DefineLinalg(Napi::Env env, Napi::Object exports);

}  // namespace espalier
