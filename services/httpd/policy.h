// Who may call a route, and what body it takes. There is no default: a route that names no policy
// does not compile, and a forgotten check is a compile error instead of a hole.
#pragma once

#include <cstdint>

namespace hone::httpd {

/// The least that a caller must be. Each includes the ones before it.
enum class Least { Anyone, SignedIn, Annotator, Reviewer, Engineer, Admin, InstanceAdmin };

/// Of POST, PUT, PATCH and DELETE: text in memory up to 1 MB, or a file on disk up to 256 MB.
enum class Body { Json, File };

inline constexpr std::uint64_t kJsonBodyMax = 1u << 20;
inline constexpr std::uint64_t kFileBodyMax = 256u << 20;

class Policy {
 public:
  explicit constexpr Policy(Least least, Body body = Body::Json) : least_(least), body_(body) {}
  constexpr Least least() const { return least_; }
  constexpr Body body() const { return body_; }
  /// The same people; the body goes to a file.
  constexpr Policy uploads() const { return Policy(least_, Body::File); }

 private:
  Least least_;
  Body body_;
};

inline constexpr Policy kPublic{Least::Anyone};
inline constexpr Policy kSignedIn{Least::SignedIn};
inline constexpr Policy kAnnotator{Least::Annotator};
inline constexpr Policy kReviewer{Least::Reviewer};
inline constexpr Policy kEngineer{Least::Engineer};
inline constexpr Policy kAdmin{Least::Admin};
inline constexpr Policy kInstanceAdmin{Least::InstanceAdmin};

}  // namespace hone::httpd
