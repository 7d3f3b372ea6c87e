#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace espalier {

// A file mapped to memory, read-only. When another program makes the file shorter, what lay behind its new
// end is gone, and reading there would end the process (SIGBUS). While there are mappings, a handler of that
// signal puts zeros in the place of what is gone and remembers it; faults elsewhere go to the handler that
// was there before.
class GuardedMapping {
 public:
  // Null where files cannot be mapped: on other systems than POSIX ones, on file systems that do not offer
  // it, and when there are too many mappings to guard.
  static std::unique_ptr<GuardedMapping> Map(int file, size_t size);
  ~GuardedMapping();
  GuardedMapping(const GuardedMapping&) = delete;
  GuardedMapping& operator=(const GuardedMapping&) = delete;

  const uint8_t* data() const { return data_; }
  // Bytes that can be read: whole pages, with zeros behind the end of the file.
  size_t readable() const { return readable_; }
  // Lets the system take back the memory of whole pages in a range that no one reads again soon.
  void Forget(size_t offset, size_t size) const;
  // Whether some of the file was gone when it was read.
  bool lost() const;

 private:
  GuardedMapping(size_t slot, const uint8_t* data, size_t readable)
      : slot_(slot), data_(data), readable_(readable) {}

  size_t slot_;
  const uint8_t* data_;
  size_t readable_;
};

}  // namespace espalier
