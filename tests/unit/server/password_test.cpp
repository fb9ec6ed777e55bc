// Which passwords are taken, and that hashing one treats the unknown like the known.
#include "services/server/auth/password.h"

#include <gtest/gtest.h>

#include "feedback/base/error.h"
#include "services/server/auth/email.h"

namespace hone::server {
namespace {

bool taken(std::string_view password) {
  try {
    check_password(password, "ann.lee@example.org", "Ann Lee");
    return true;
  } catch (const Error& error) {
    EXPECT_EQ(error.pointer(), "/password");
    return false;
  }
}

TEST(Password, NeedsEightCharactersAndTakesAThousandBytes) {
  EXPECT_FALSE(taken("kZ7!qTx"));
  EXPECT_TRUE(taken("kZ7!qTx9"));
  EXPECT_FALSE(taken("éöüäßç7"));  // seven characters, thirteen bytes
  EXPECT_TRUE(taken("éöüäßç7x"));
  std::string long_one;
  while (long_one.size() < kPasswordMax - 8) long_one += "pale tea";
  EXPECT_TRUE(taken(long_one + "and milk"));
  EXPECT_FALSE(taken(std::string(kPasswordMax, 'a') + "bcdefghi"));
}

TEST(Password, RefusesTheOnesThatAreGuessedFirst) {
  for (const char* password :
       {"password",      "Password1",     "P@ssw0rd",    "P@$$w0rd!",
        "passw0rd123",   "password2024!", "123password", "12345678",
        "87654321",      "1234567890",    "11111111",    "aaaaaaaa",
        "abababab",      "abcdefgh",      "zyxwvuts",    "qwertyuiop",
        "QWERTY123",     "qwerty123456",  "qwertzuiop",  "1q2w3e4r",
        "1qaz2wsx",      "asdfghjkl",     "zxcvbnm123",  "iloveyou",
        "ILoveYou2",     "letmein!",      "Welcome1",    "welcome2025",
        "administrator", "admin1234",     "adminadmin",  "adminpassword",
        "changeme",      "ChangeMe!1",    "trustno1",    "sunshine",
        "football1",     "superman",      "batman123",   "dragon2024",
        "monkey123",     "princess",      "michael1",    "starwars",
        "pokemon7",      "Summer2024",    "Winter2025!", "hone1234",
        "honehone",      "20240131",      "01234567",    "correcthorsebatterystaple",
        "qwerqwer",      "abcabcabc",     "123123123",   "12341234"})
    EXPECT_FALSE(taken(password)) << password;
}

TEST(Password, TakesWordsOfOnesOwn) {
  for (const char* password :
       {"violet-kettle-93-harbour", "my dog eats 3 socks", "nur noch ein kaffee", "Xk3$9vLqPz",
        "blue whale teapot", "password manager says hi", "9182736450192", "tuesday is for pancakes",
        "kolibri im februar"})
    EXPECT_TRUE(taken(password)) << password;
}

TEST(Password, RefusesTheOwnNameAndAddress) {
  for (const char* password :
       {"ann.lee@example.org", "ANN.LEE@example.org", "ann.lee99", "Ann Lee 1"})
    EXPECT_FALSE(taken(password)) << password;
}

TEST(Email, IsComparedWithoutCaseAndChecked) {
  EXPECT_EQ(parse_email(" Ann@Example.ORG ", "/email"), "ann@example.org");
  for (const char* text :
       {"", "ann", "@example.org", "ann@", "a@b@c", "ann lee@example.org", "ann@exa\nmple.org"})
    EXPECT_THROW(parse_email(text, "/email"), Error) << text;
}

}  // namespace
}  // namespace hone::server
