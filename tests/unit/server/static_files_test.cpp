// The page's files: only what was found in the folder, by exactly its name.
#include "services/server/static_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

namespace hone::server {
namespace {

namespace fs = std::filesystem;
using httpd::http::status;

class Page : public testing::Test {
 protected:
  Page() : root_(fs::path(testing::TempDir()) / ("hone_page_" + std::to_string(::getpid()))) {
    fs::create_directories(root_ / "web/assets");
    write("secret", "outside");
    write("web/index.html", "<p>page");
    write("web/assets/app-1234.js", "let a");
    write("web/.hidden", "no");
    fs::create_symlink(root_ / "secret", root_ / "web/link");
    fs::create_directory_symlink(root_, root_ / "web/up");
  }
  ~Page() override { fs::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    std::ofstream(root_ / name) << text;
  }

  static httpd::Request get(const std::string& path) {
    httpd::Request request;
    request.path = path;
    return request;
  }
  fs::path root_;
};

TEST_F(Page, ServesItsFilesWithTheirTypes) {
  StaticFiles files(root_ / "web");
  const auto index = files.serve(get("/"));
  EXPECT_EQ(std::get<std::string>(index.body), "<p>page");
  EXPECT_EQ(index.content_type, "text/html; charset=utf-8");
  const auto script = files.serve(get("/assets/app-1234.js"));
  EXPECT_EQ(script.content_type, "text/javascript; charset=utf-8");
}

TEST_F(Page, NamesNothingOutsideItsFolder) {
  StaticFiles files(root_ / "web");
  for (const char* path : {"/secret", "/../secret", "/..", "/link", "/up/secret", "/up", "/.hidden",
                           "/assets", "/assets/", "/assets/../../secret", "//secret",
                           "/index.html/", "/etc/passwd", "/%2e%2e/secret"})
    EXPECT_EQ(files.serve(get(path)).status, status::not_found) << path;
}

TEST_F(Page, IsReadAgainWhenItWasBuiltAgain) {
  StaticFiles files(root_ / "web");
  files.serve(get("/"));
  write("web/index.html", "<p>new");
  fs::last_write_time(root_ / "web/index.html",
                      fs::file_time_type::clock::now() + std::chrono::seconds(5));
  EXPECT_EQ(std::get<std::string>(files.serve(get("/")).body), "<p>new");
}

TEST_F(Page, AnswersAKnownTagWithoutTheFile) {
  StaticFiles files(root_ / "web");
  auto request = get("/");
  const auto first = files.serve(request);
  std::string etag;
  for (const auto& [name, value] : first.headers)
    if (name == "ETag") etag = value;
  request.headers = {{"if-none-match", etag}};
  EXPECT_EQ(files.serve(request).status, status::not_modified);
}

TEST_F(Page, IsOnlyRead) {
  auto request = get("/");
  request.method = httpd::Method::Post;
  EXPECT_EQ(StaticFiles(root_ / "web").serve(request).status, status::method_not_allowed);
}

TEST_F(Page, SaysSoWhenItWasNotBuilt) {
  EXPECT_EQ(StaticFiles(root_ / "nothing").serve(get("/")).status, status::not_found);
}

}  // namespace
}  // namespace hone::server
