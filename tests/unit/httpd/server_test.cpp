// The listener by real sockets: its limits at the limit and one beyond, its deadlines, its bodies.
#include "services/httpd/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <fstream>
#include <thread>

#include "services/httpd/tar.h"
#include "tests/unit/httpd/client.h"

namespace hone::httpd {
namespace {

using namespace std::chrono_literals;
using test::ask;
using test::RawClient;
using testing::HasSubstr;

/// Answers by path; the body's route limits are small so that tests are quick.
class Echo : public Application {
 public:
  explicit Echo(std::filesystem::path folder) : folder_(std::move(folder)) {}

  net::awaitable<Response> serve(Request request, BodyReader& body, bool& signed_in) override {
    Response response;
    try {
      if (request.path == "/upload") {
        const auto file = co_await body.to_file(folder_, 2000);
        response =
            Response(http::status::ok, std::to_string(std::filesystem::file_size(file->path())));
        last_upload = file->path();
      } else if (request.path == "/refused") {
        response = Response::problem(http::status::forbidden, "not you");
      } else if (request.path == "/file") {
        response = Response::file(folder_ / "ten", "text/plain", "ten.txt");
        response.with("ETag", "\"t\"");
      } else if (request.path == "/gone") {
        response = Response::file(folder_ / "gone", "text/plain", "");
      } else if (request.path == "/tar") {
        response = tar_response({{"a/ten", folder_ / "ten", 10}}, "a.tar");
      } else if (request.path == "/endless") {
        Generator generate = [](Sink& sink) { return write_for_ever(sink); };
        response = Response::stream(std::move(generate), "text/plain");
      } else if (request.path == "/torn") {
        Generator generate = [](Sink& sink) { return write_and_fail(sink); };
        response = Response::stream(std::move(generate), "text/plain");
      } else {
        signed_in = request.header("x-sign-in") == "yes";
        response = Response(http::status::ok, co_await body.to_memory(1000));
        response.with("X-Peer", request.peer).with("X-Evil", "a\r\nInjected: yes");
      }
    } catch (const RequestRefused& refused) {
      response = Response::problem(refused.status, refused.detail);
    }
    co_return response;
  }
  void finish(const Request&, Response& response) override {
    if (const auto* problem = std::get_if<Problem>(&response.body)) response.body = problem->detail;
  }

  std::filesystem::path last_upload;

 private:
  static net::awaitable<void> write_for_ever(Sink& sink) {
    for (bool open = true; open;) open = co_await sink.write(std::string(1000, 'x'));
  }
  static net::awaitable<void> write_and_fail(Sink& sink) {
    co_await sink.write("half");
    throw std::runtime_error("the source broke");
  }
  std::filesystem::path folder_;
};

class HttpServer : public testing::Test {
 protected:
  explicit HttpServer(Limits limits = quick())
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("hone_httpd_" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    std::ofstream(folder_ / "ten") << "0123456789";
    ListenOptions options;
    options.port = 0;
    options.limits = limits;
    server_ = std::make_unique<Server>(io_, options, app_);
    port_ = server_->port();
    server_->start();
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { io_.run(); });
  }
  ~HttpServer() override {
    stop(2s);
    std::filesystem::remove_all(folder_);
  }
  void stop(std::chrono::milliseconds grace) {
    if (threads_.empty()) return;
    server_->stop(grace, [this] { guard_.reset(); });
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  static Limits quick() {
    Limits limits;
    limits.header_time = 400ms;
    limits.idle_time = 600ms;
    limits.body_grace = 400ms;
    limits.write_time = 400ms;
    limits.strangers_per_address = 8;
    return limits;
  }
  static std::string get(const std::string& target, const std::string& headers = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: h\r\n" + headers + "\r\n";
  }
  static std::string post(const std::string& target, const std::string& body,
                          const std::string& headers = "") {
    return "POST " + target +
           " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           headers + "\r\n" + body;
  }

  std::filesystem::path folder_;
  Echo app_{folder_};
  boost::asio::io_context io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{
      io_.get_executor()};
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
  std::vector<std::thread> threads_;
};

TEST_F(HttpServer, AnswersSeveralRequestsOnOneConnection) {
  RawClient client(port_);
  client.send(post("/", "one") + post("/", "two"));
  EXPECT_EQ(client.receive().body, "one");
  EXPECT_EQ(client.receive().body, "two");
}

TEST_F(HttpServer, TakesAHeaderOf16KBAndRefusesOneByteMore) {
  const std::string base = "GET / HTTP/1.1\r\nHost: h\r\nX: \r\n\r\n";
  const auto of_size = [&base](std::size_t bytes) {
    return "GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(bytes - base.size(), 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(ask(port_, of_size(16 * 1024)).status, 200);
  EXPECT_EQ(ask(port_, of_size(16 * 1024 + 1)).status, 431);
  EXPECT_EQ(ask(port_, of_size(100 * 1024)).status, 431);
}

TEST_F(HttpServer, TakesAHundredFieldsAndRefusesOneMore) {
  const auto with_fields = [](int count) {
    std::string text = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (int i = 1; i < count; ++i) text += "X-" + std::to_string(i) + ": 1\r\n";
    return text + "\r\n";
  };
  EXPECT_EQ(ask(port_, with_fields(100)).status, 200);
  EXPECT_EQ(ask(port_, with_fields(101)).status, 431);
}

TEST_F(HttpServer, TakesABodyAtItsLimitAndRefusesOneByteMore) {
  EXPECT_EQ(ask(port_, post("/", std::string(1000, 'b'))).status, 200);
  EXPECT_EQ(ask(port_, post("/", std::string(1001, 'b'))).status, 413);
}

TEST_F(HttpServer, RefusesATooLongBodyBeforeItArrives) {
  EXPECT_EQ(ask(port_, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999\r\n\r\n").status,
            413);
}

TEST_F(HttpServer, CountsChunksWhoseSumIsTooLong) {
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string at_limit = head, beyond = head;
  for (int i = 0; i < 10; ++i) at_limit += "64\r\n" + std::string(100, 'c') + "\r\n";
  beyond = at_limit + "1\r\nc\r\n0\r\n\r\n";
  at_limit += "0\r\n\r\n";
  EXPECT_EQ(ask(port_, at_limit).body.size(), 1000u);
  EXPECT_EQ(ask(port_, beyond).status, 413);
}

TEST_F(HttpServer, StreamsAnUploadToAFileThatGoesWithTheRequest) {
  EXPECT_EQ(ask(port_, post("/upload", std::string(2000, 'u'))).body, "2000");
  EXPECT_FALSE(std::filesystem::exists(app_.last_upload));
  EXPECT_EQ(ask(port_, post("/upload", std::string(2001, 'u'))).status, 413);
  // Nothing is left of the refused one either.
  for (const auto& entry : std::filesystem::directory_iterator(folder_))
    EXPECT_EQ(entry.path().filename(), "ten");
}

TEST_F(HttpServer, LetsAClientThatAsksSendItsBody) {
  RawClient client(port_);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_THAT(client.receive_until("\r\n\r\n", 2s), HasSubstr("100 Continue"));
  client.send("abc");
  client.receive(true);
  EXPECT_EQ(client.receive().body, "abc");
}

TEST_F(HttpServer, TellsWhyToAClientWhoseBodyItDoesNotRead) {
  const auto reply = ask(port_, post("/refused", std::string(300'000, 'x')));
  EXPECT_EQ(reply.status, 403);
  EXPECT_EQ(reply.body, "not you");
}

TEST_F(HttpServer, RefusesWhatIsNotHttp) {
  EXPECT_EQ(ask(port_, "nonsense\r\n\r\n").status, 400);
  EXPECT_EQ(ask(port_, "GET / HTTP/1.1\r\n\r\n").status, 400) << "no Host";
  EXPECT_EQ(ask(port_, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").status, 400);
  EXPECT_EQ(ask(port_, get("/../etc/passwd")).status, 400);
  EXPECT_EQ(ask(port_, "BREW / HTTP/1.1\r\nHost: h\r\n\r\n").status, 405);
  EXPECT_EQ(ask(port_, "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n").status, 405);
}

TEST_F(HttpServer, RefusesARequestThatCouldBeReadInTwoWays) {
  // Length and chunks at once, or two lengths: a proxy in front might see other borders than we do.
  for (const char* headers : {"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
                              "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
                              "Content-Length: 3\r\nContent-Length: 4\r\n"}) {
    const auto reply =
        ask(port_, std::string("POST / HTTP/1.1\r\nHost: h\r\n") + headers + "\r\n0\r\n\r\n");
    EXPECT_NE(reply.status, 200) << headers;
  }
}

TEST_F(HttpServer, EndsASlowHeader) {
  RawClient client(port_);
  client.send("GET / HTTP/1.1\r\nHo");
  EXPECT_TRUE(client.closed_within(3s));
}

TEST_F(HttpServer, EndsASlowBody) {
  RawClient client(port_);
  client.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n");
  // A byte every 100 ms is more often than any read's deadline and far slower than the slowest
  // rate.
  std::thread drip([&client] {
    for (int i = 0; i < 15 && client.send("x"); ++i) std::this_thread::sleep_for(100ms);
  });
  const auto reply = client.receive(false, 5s);
  drip.join();
  EXPECT_EQ(reply.status, 408);
}

TEST_F(HttpServer, ClosesAnIdleConnection) {
  RawClient client(port_);
  client.send(get("/"));
  client.receive();
  EXPECT_TRUE(client.closed_within(4s));
}

TEST_F(HttpServer, DropsAClientThatReadsNothing) {
  RawClient client(port_);
  client.send(get("/endless"));
  for (int i = 0; i < 50 && server_->connections() == 0; ++i) std::this_thread::sleep_for(10ms);
  ASSERT_EQ(server_->connections(), 1u);
  // Its window fills, a write waits too long, and the server is rid of it; the client notices
  // whenever it reads again.
  for (int i = 0; i < 50 && server_->connections() > 0; ++i) std::this_thread::sleep_for(100ms);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(HttpServer, HasAnEndOfItsPatienceWithStrangersOfOneAddress) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<RawClient>(port_));
    clients.back()->send(get("/"));
    EXPECT_EQ(clients.back()->receive().status, 200);
  }
  EXPECT_EQ(ask(port_, get("/")).status, 503);
  // Once one has signed in it is no stranger, and makes room.
  clients[0]->send(get("/", "X-Sign-In: yes\r\n"));
  clients[0]->receive();
  EXPECT_EQ(ask(port_, get("/")).status, 200);
}

TEST_F(HttpServer, SendsPartsOfAFile) {
  EXPECT_EQ(ask(port_, get("/file")).body, "0123456789");
  const auto part = ask(port_, get("/file", "Range: bytes=2-4\r\n"));
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.body, "234");
  EXPECT_EQ(part.headers.at("content-range"), "bytes 2-4/10");
  const auto beyond = ask(port_, get("/file", "Range: bytes=10-\r\n"));
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.headers.at("content-range"), "bytes */10");
  EXPECT_EQ(ask(port_, get("/file", "Range: bytes=2-4\r\nIf-Range: \"other\"\r\n")).status, 200);
  EXPECT_EQ(ask(port_, get("/file", "Range: bytes=2-4\r\nIf-Range: \"t\"\r\n")).status, 206);
  EXPECT_EQ(ask(port_, get("/gone")).status, 404);
}

TEST_F(HttpServer, AnswersHeadWithTheHeaderOnly) {
  RawClient client(port_);
  client.send("HEAD /file HTTP/1.1\r\nHost: h\r\n\r\n" + get("/file"));
  const auto head = client.receive(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.headers.at("content-length"), "10");
  EXPECT_EQ(client.receive().body, "0123456789");
}

TEST_F(HttpServer, GeneratesATarOfItsAnnouncedLength) {
  const auto reply = ask(port_, get("/tar"));
  EXPECT_TRUE(reply.whole);
  EXPECT_EQ(reply.body.size(), 512u + 512u + 1024u);
  EXPECT_EQ(reply.body.substr(0, 5), "a/ten");
  EXPECT_EQ(reply.body.substr(512, 10), "0123456789");
}

TEST_F(HttpServer, LetsTheClientSeeThatAStreamBroke) {
  RawClient client(port_);
  client.send(get("/torn"));
  const auto reply = client.receive();
  EXPECT_EQ(reply.body, "half");
  EXPECT_FALSE(reply.whole);
}

TEST_F(HttpServer, LetsNoHeaderValueBecomeASecondHeader) {
  const auto reply = ask(port_, get("/"));
  EXPECT_FALSE(reply.headers.contains("injected"));
}

TEST_F(HttpServer, StopsStreamsAndIdleConnectionsAtOnce) {
  RawClient idle(port_), streaming(port_);
  idle.send(get("/"));
  idle.receive();
  streaming.send(get("/endless"));
  std::thread reader([&streaming] { streaming.closed_within(3s); });
  std::this_thread::sleep_for(100ms);
  const auto began = std::chrono::steady_clock::now();
  stop(5s);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 4s);
  reader.join();
}

}  // namespace
}  // namespace hone::httpd
