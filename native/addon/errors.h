#pragma once

#include <napi.h>

#include <exception>
#include <new>
#include <string>

#include "core/error.h"

namespace espalier {

// Remembers the class EspalierError(code, message) of this JavaScript environment.
void SetErrorClass(Napi::Env env, const Napi::Function& error_class);

Napi::Error MakeError(Napi::Env env, ErrorCode code, const std::string& message);

// Calls `body` and turns what it throws into an EspalierError: the one place where native errors cross over.
template <typename Body>
auto Guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Error& error) {
    throw MakeError(env, error.code(), error.what());
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw MakeError(env, ErrorCode::kMemory, "Expected enough memory, got none");
  } catch (const std::exception& error) {
    throw MakeError(env, ErrorCode::kInternal, error.what());
  }
}

}  // namespace espalier
