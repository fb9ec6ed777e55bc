#include "services/cli/http_client.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "feedback/base/error.h"
#include "services/shared/json.h"

namespace hone::cli {

using nlohmann::json;

namespace {

constexpr long kConnectTimeout_s = 10;
constexpr long kReplyTimeout_s = 120;  // of a call that answers with JSON
constexpr long kSilence_s = 60;        // of a stream or a download: heartbeats come every 25 s
constexpr std::size_t kReplyBytesMax = 64 * 1024 * 1024;

Code code_of(long status) {
  switch (status) {
    case 401:
      return Code::Unauthenticated;
    case 403:
      return Code::Forbidden;
    case 404:
      return Code::NotFound;
    case 409:
      return Code::Conflict;
    case 429:
    case 502:
    case 503:
    case 504:
      return Code::Busy;
    default:
      return Code::Invalid;
  }
}

/// What a problem+json body says, with the places it names; else the status alone.
std::string problem_text(long status, const std::string& body) {
  std::string text;
  const auto problem = json::parse(body, nullptr, false);
  if (problem.is_object()) {
    text = problem.value("detail", problem.value("title", std::string()));
    if (const auto errors = problem.find("errors"); errors != problem.end() && errors->is_array())
      for (const auto& e : *errors) {
        if (!e.is_object()) continue;
        text += "\n ";
        if (e.contains("line") && e["line"].is_number())
          text += fmt::format(" line {}", e["line"].get<long long>());
        if (const auto pointer = e.value("pointer", std::string()); !pointer.empty())
          text += " " + pointer;
        text += ": " + e.value("detail", std::string());
      }
  }
  if (text.empty()) text = fmt::format("the server answered with status {}", status);
  if (status == 401)
    text += " (HONE_TOKEN; a token is made on the page, or by `hone tokens create`)";
  return text;
}

struct FreeCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

struct HttpClient::Call {
  std::unique_ptr<CURL, FreeCurl> curl{curl_easy_init()};
  std::unique_ptr<curl_slist, FreeList> headers;
  std::string reply;                               // a JSON body, or an error's
  std::function<bool(std::string_view)> on_bytes;  // a stream's or download's body
  std::function<void(std::int64_t, std::int64_t)> on_progress;
  std::exception_ptr thrown;  // by on_bytes: it may not cross C code

  void header(const std::string& line) {
    headers.reset(curl_slist_append(headers.release(), line.c_str()));
  }
  template <class Value>
  void set(CURLoption option, Value value) {
    curl_easy_setopt(curl.get(), option, value);
  }
  long status() const {
    long code = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &code);
    return code;
  }

  static std::size_t take(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& call = *static_cast<Call*>(self);
    const std::string_view piece(bytes, size * count);
    const bool good = call.status() < 400;
    if (good && call.on_bytes) {
      try {
        return call.on_bytes(piece) ? piece.size() : 0;
      } catch (...) {
        call.thrown = std::current_exception();
        return 0;
      }
    }
    if (call.reply.size() + piece.size() > kReplyBytesMax) return 0;
    call.reply += piece;
    return piece.size();
  }
  static int tell(void* self, curl_off_t total, curl_off_t now, curl_off_t, curl_off_t) {
    const auto& call = *static_cast<Call*>(self);
    if (call.on_progress) call.on_progress(now, total);
    return 0;
  }
};

HttpClient::HttpClient(std::string url, std::string token)
    : url_(std::move(url)), token_(std::move(token)) {
  while (url_.ends_with('/')) url_.pop_back();
  if (!url_.starts_with("http://") && !url_.starts_with("https://"))
    throw Error(Code::Invalid, "HONE_URL is \"" + url_ + "\"; it begins with http:// or https://");
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

HttpClient::~HttpClient() { curl_global_cleanup(); }

json HttpClient::perform(Call& call) {
  if (!token_.empty()) call.header("Authorization: Bearer " + token_);
  // libcurl would wait a second for "100 Continue" before every larger body.
  call.header("Expect:");
  call.set(CURLOPT_HTTPHEADER, call.headers.get());
  call.set(CURLOPT_WRITEFUNCTION, &Call::take);
  call.set(CURLOPT_WRITEDATA, &call);
  call.set(CURLOPT_CONNECTTIMEOUT, kConnectTimeout_s);
  call.set(CURLOPT_NOSIGNAL, 1L);
  call.set(CURLOPT_USERAGENT, "hone-cli");
  // No redirects: a token goes where its owner sent it, nowhere else.
  call.set(CURLOPT_FOLLOWLOCATION, 0L);
  const auto result = curl_easy_perform(call.curl.get());
  if (call.thrown) std::rethrow_exception(call.thrown);
  const auto status = call.status();
  if (status >= 400) throw Error(code_of(status), problem_text(status, call.reply));
  if (result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST)
    throw Error(Code::Busy, "no server answers at " + url_ +
                                ". Start it with `make up`, or name another by HONE_URL");
  const bool stopped_by_us = result == CURLE_WRITE_ERROR && call.on_bytes;
  if (result != CURLE_OK && !stopped_by_us)
    throw Error(Code::Busy,
                fmt::format("the connection to {} broke: {}", url_, curl_easy_strerror(result)));
  if (call.reply.empty()) return json();
  shared::JsonLimits limits;
  limits.nodes = 5'000'000;
  limits.string_bytes = kReplyBytesMax;
  return shared::parse_json(call.reply, limits);
}

json HttpClient::get(const std::string& path) {
  Call call;
  const auto address = url_ + path;
  call.set(CURLOPT_URL, address.c_str());
  call.set(CURLOPT_TIMEOUT, kReplyTimeout_s);
  call.header("Accept: application/json");
  return perform(call);
}

json HttpClient::post(const std::string& path, const json& body) {
  Call call;
  const auto address = url_ + path;
  const auto text = body.dump();
  call.set(CURLOPT_URL, address.c_str());
  call.set(CURLOPT_TIMEOUT, kReplyTimeout_s);
  call.set(CURLOPT_POST, 1L);
  call.set(CURLOPT_POSTFIELDS, text.c_str());
  call.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(text.size()));
  call.header("Content-Type: application/json");
  call.header("Accept: application/json");
  return perform(call);
}

json HttpClient::post_file(const std::string& path, const std::string& content_type,
                           const std::filesystem::path& file) {
  const std::unique_ptr<std::FILE, CloseFile> in(std::fopen(file.c_str(), "rb"));
  if (!in) throw Error(Code::NotFound, "cannot read " + file.string());
  Call call;
  const auto address = url_ + path;
  call.set(CURLOPT_URL, address.c_str());
  call.set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  call.set(CURLOPT_LOW_SPEED_TIME,
           5 * kSilence_s);  // the server checks every row before it answers
  call.set(CURLOPT_POST, 1L);
  call.set(CURLOPT_READFUNCTION, static_cast<curl_read_callback>([](char* to, std::size_t size,
                                                                    std::size_t count, void* from) {
             return std::fread(to, size, count, static_cast<std::FILE*>(from));
           }));
  call.set(CURLOPT_READDATA, in.get());
  call.set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(std::filesystem::file_size(file)));
  call.header("Content-Type: " + content_type);
  call.header("Accept: application/json");
  return perform(call);
}

std::vector<json> HttpClient::list(const std::string& path) {
  std::vector<json> items;
  std::string cursor;
  const auto joint = path.find('?') == std::string::npos ? "?" : "&";
  while (true) {
    const auto page =
        get(path + joint + "limit=200" + (cursor.empty() ? "" : "&cursor=" + encode(cursor)));
    for (const auto& item : page.at("data")) items.push_back(item);
    if (!page.value("has_more", false) || !page.contains("next") || !page["next"].is_string())
      return items;
    cursor = page["next"].get<std::string>();
  }
}

void HttpClient::download(const std::string& path, const std::filesystem::path& file,
                          const std::function<void(std::int64_t, std::int64_t)>& on_progress) {
  auto temporary = file;
  temporary += ".part";
  try {
    const std::unique_ptr<std::FILE, CloseFile> out(std::fopen(temporary.c_str(), "wb"));
    if (!out) throw Error(Code::Invalid, "cannot write " + temporary.string());
    Call call;
    const auto address = url_ + path;
    call.set(CURLOPT_URL, address.c_str());
    call.set(CURLOPT_LOW_SPEED_LIMIT, 1L);
    call.set(CURLOPT_LOW_SPEED_TIME, kSilence_s);
    call.set(CURLOPT_NOPROGRESS, 0L);
    call.set(CURLOPT_XFERINFOFUNCTION, &Call::tell);
    call.set(CURLOPT_XFERINFODATA, &call);
    call.on_progress = on_progress;
    call.on_bytes = [&](std::string_view bytes) {
      if (std::fwrite(bytes.data(), 1, bytes.size(), out.get()) != bytes.size())
        throw Error(Code::Busy, "cannot write " + temporary.string() + ": is the disk full?");
      return true;
    };
    perform(call);
    if (std::fflush(out.get()) != 0)
      throw Error(Code::Busy, "cannot write " + temporary.string() + ": is the disk full?");
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(temporary, ignored);
    throw;
  }
  std::filesystem::rename(temporary, file);
}

void HttpClient::stream(const std::string& path,
                        const std::function<bool(std::string_view)>& on_bytes) {
  Call call;
  const auto address = url_ + path;
  call.set(CURLOPT_URL, address.c_str());
  call.set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  call.set(CURLOPT_LOW_SPEED_TIME, kSilence_s);
  call.header("Accept: text/event-stream");
  call.on_bytes = on_bytes;
  perform(call);
}

std::string encode(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.' || c == '~';
    if (plain)
      out += c;
    else
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

}  // namespace hone::cli
