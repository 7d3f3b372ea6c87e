// One engine in a process of its own, timed from inside: bench/lib/peer-process.mjs starts it and speaks with
// it.
//
//   peers --list                                               the engines that were built in
//   peers ENGINE TOKENS INPUTS OUTPUTS X.bin WEIGHTS.bin        raw float32 files
//
// Then each line on stdin is a request, and each reply on stdout a frame: its bytes as uint64, then so many
// bytes.
//   output                                 y of the last run, float32 [TOKENS, OUTPUTS]
//   time MILLISECONDS MIN_RUNS WARM_UP     milliseconds of each run after WARM_UP milliseconds, float64
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>

#include "peer.h"

namespace {

using Maker = std::unique_ptr<peers::Peer> (*)(const peers::Product&);

const std::map<std::string, Maker> makers = {
#ifdef PEERS_ONEDNN
    {"onednn", peers::MakeOneDnn},
#endif
#ifdef PEERS_EIGEN
    {"eigen", peers::MakeEigen},
#endif
#ifdef PEERS_XNNPACK
    {"xnnpack", peers::MakeXnnpack},
#endif
};

std::vector<float> ReadFloats(const std::string& path, std::size_t count) {
  std::vector<float> values(count);
  std::ifstream file(path, std::ios::binary);
  const auto bytes = static_cast<std::streamsize>(count * sizeof(float));
  if (!file.read(reinterpret_cast<char*>(values.data()), bytes)) {
    throw std::runtime_error("Expected " + std::to_string(bytes) + " bytes in " + path);
  }
  return values;
}

template <typename T>
void Reply(const std::vector<T>& values) {
  const std::uint64_t bytes = values.size() * sizeof(T);
  std::fwrite(&bytes, sizeof bytes, 1, stdout);
  std::fwrite(values.data(), 1, bytes, stdout);
  std::fflush(stdout);
}

/// As timeRuns in bench/lib/engine-process.mjs.
std::vector<double> TimeRuns(peers::Peer& peer, double milliseconds, std::size_t min_runs, double warm_up) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  const auto time = [&] {
    const auto before = Clock::now();
    peer.Run();
    return since(before);
  };
  for (const auto start = Clock::now(); since(start) < warm_up;) time();
  std::vector<double> times;
  for (const auto start = Clock::now(); times.size() < min_runs || since(start) < milliseconds;) {
    times.push_back(time());
  }
  return times;
}

void Answer(peers::Peer& peer, const std::string& line) {
  std::istringstream request(line);
  std::string kind;
  request >> kind;
  if (kind == "output") return Reply(peer.Output());
  double milliseconds = 0;
  std::size_t min_runs = 1;
  double warm_up = 0;
  request >> milliseconds >> min_runs >> warm_up;
  if (kind != "time" || !request) throw std::runtime_error("Expected a request, got " + line);
  Reply(TimeRuns(peer, milliseconds, min_runs, warm_up));
}

void Serve(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "--list") {
    for (const auto& [name, maker] : makers) std::cout << name << '\n';
    return;
  }
  if (argc != 7) throw std::runtime_error("Expected ENGINE TOKENS INPUTS OUTPUTS X WEIGHTS");
  peers::Product product;
  product.tokens = std::stoul(argv[2]);
  product.inputs = std::stoul(argv[3]);
  product.outputs = std::stoul(argv[4]);
  product.x = ReadFloats(argv[5], product.tokens * product.inputs);
  product.weights = ReadFloats(argv[6], product.inputs * product.outputs);
  const auto peer = makers.at(argv[1])(product);
  peer->Run();
  for (std::string line; std::getline(std::cin, line);) Answer(*peer, line);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Serve(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
