// Common passwords are few ideas in many dresses, so the dresses are taken off and the idea is
// looked up: some hundred words stand for many thousand spellings.
#include "services/server/auth/password.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "feedback/base/error.h"

namespace hone::server {
namespace {

// Some five hundred, by theme, with one space on each side; is_word looks up what is left of a
// password without its dress.
constexpr std::string_view kWords =
    // the word itself, and what set-up guides leave behind
    " password passwort passwd passw pass passcode passphrase motdepasse contrasena senha "
    "parola haslo wachtwoord losenord salasana parool jelszo heslo sifre admin administrator "
    "administrador root toor user username guest default changeme changeit change letmein "
    "letmeinnow welcome willkommen bienvenue login logmein signin access accesss secret "
    "secrets topsecret private master masterkey system server database postgres mysql oracle "
    "redis docker kubernetes ubuntu debian linux windows microsoft google facebook instagram "
    "twitter youtube amazon apple github gitlab jenkins test tester testing testtest testuser "
    "temp temporary temppass demo sample example demodemo staging production localhost "
    "internet computer laptop network security secure qwertz hone honehone honeserver "
    "labelling labeling annotator reviewer engineer training openai chatgpt model machine "
    "learning machinelearning deeplearning newpassword mypassword mypass yourpassword "
    "thepassword password1password nopassword oldpassword blank none null unknown "
    // keyboard walks
    "qwerty qwertyu qwertyui qwertyuio qwertyuiop qwerty1 qwer qwert qwertzui qwertzuiop "
    "azerty azertyui azertyuiop asdf asdfg asdfgh asdfghj asdfghjk asdfghjkl zxcv zxcvb "
    "zxcvbn zxcvbnm yxcvbnm qazwsx qazwsxedc qazxsw wsxedc qweasd qweasdzxc qwaszx qweqwe "
    "asdasd zxczxc asdzxc poiuytrewq lkjhgfdsa mnbvcxz qwqwqw aqswde zaqwsx zaqxsw qaz wsx "
    "zaq xsw qwe asd zxc abc abcd abcde abcdef abcdefg abcdefgh abcdefghi abcabc aabbcc xyz "
    "aaa abcxyz "
    // people, and what they are called
    "love iloveyou iloveu ilove loveyou loveme lovely lover mylove baby babygirl honey sweet "
    "sweetie sweetheart darling angel princess prince queen king beautiful pretty sexy daddy "
    "mommy mother father family brother sister friend friends forever michael michelle "
    "jennifer jessica jordan ashley daniel andrew joshua matthew robert thomas william "
    "richard charlie george jasmine amanda nicole samantha elizabeth anthony alexander "
    "christopher christian jonathan maria martin patrick sebastian stephanie victoria vanessa "
    "natasha svetlana vladimir mohammed muhammad abdullah fatima carlos alejandro francisco "
    "guillermo andrea alessandro giovanni francesca sabrina barbara benjamin hannah hunter "
    "buster bailey harley maggie ginger pepper cookie cookies chocolate cheese banana orange "
    "cherry strawberry peanut butter coffee whiskey corona "
    // heroes, games, sport, music
    "batman superman spiderman ironman wolverine starwars startrek skywalker vader darthvader "
    "yoda gandalf frodo hogwarts harrypotter pokemon pikachu naruto mario luigi zelda "
    "minecraft fortnite roblox counterstrike warcraft starcraft diablo football baseball "
    "basketball soccer hockey tennis golf cricket liverpool chelsea arsenal manchester "
    "barcelona realmadrid juventus bayern dortmund yankees lakers cowboys steelers eagles "
    "rangers packers champion winner player gamer hacker ninja samurai killer slayer warrior "
    "ranger soldier captain commander legend monster zombie vampire dragon phoenix unicorn "
    "tiger panther eagle falcon wolf lion monkey kitten puppy doggie butterfly dolphin flower "
    "flowers rainbow sunshine sunflower summer winter spring autumn january february march "
    "april june july august september october november december monday tuesday wednesday "
    "thursday friday saturday sunday morning midnight shadow silver golden diamond purple "
    "yellow crystal thunder lightning storm mustang corvette ferrari porsche mercedes toyota "
    "honda yamaha kawasaki suzuki guitar music metallica nirvana slipknot eminem beatles "
    "elvis rockstar matrix trustno whatever nothing something everything anything freedom "
    "peace hello hellohello helloworld goodbye please letmesee opensesame abracadabra fuckyou "
    "fuck fuckoff asshole bullshit jesus jesuschrist god godisgood blessed heaven bitcoin "
    "money dollar million success lucky happy smile superstar genius magic wizard power "
    "energy berlin london paris madrid moscow newyork texas california florida america canada "
    "mexico brasil argentina colombia england france germany deutschland italia espana "
    "turkiye istanbul india pakistan indonesia philippines australia "
    "correcthorsebatterystaple ";

std::string lower(std::string_view text) {
  std::string out(text);
  for (auto& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

// p4ssw0rd -> password. Signs that stand for two letters are tried as their commoner one.
std::string without_leet(std::string text) {
  static constexpr std::string_view kFrom = "04310857@$!|+", kTo = "oaeiobstasilt";
  for (auto& c : text)
    if (const auto at = kFrom.find(c); at != std::string_view::npos) c = kTo[at];
  return text;
}

// Years, counters and signs in front and behind.
std::string_view without_decoration(std::string_view text) {
  while (!text.empty() && !is_letter(text.front())) text.remove_prefix(1);
  while (!text.empty() && !is_letter(text.back())) text.remove_suffix(1);
  return text;
}

// abcabcabc -> abc.
std::string_view without_repetition(std::string_view text) {
  for (std::size_t period = 1; period <= text.size() / 2; ++period) {
    if (text.size() % period != 0) continue;
    if (text.substr(period) == text.substr(0, text.size() - period)) return text.substr(0, period);
  }
  return text;
}

bool is_word(std::string_view text) {
  if (text.empty() || text.find(' ') != std::string_view::npos) return false;
  return kWords.find(" " + std::string(text) + " ") != std::string_view::npos;
}

// 12345678, 87654321, abcdefgh: every step the same, by one or by none.
bool is_sequence(std::string_view text) {
  int up = 0, down = 0, wraps = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    up += text[i] == text[i - 1] + 1;
    down += text[i] == text[i - 1] - 1;
    wraps += (text[i] == '0' && text[i - 1] == '9') || (text[i] == '1' && text[i - 1] == '0');
  }
  const int steps = static_cast<int>(text.size()) - 1;
  return up + wraps >= steps || down + wraps >= steps;
}

int different_characters(std::string_view text) {
  std::array<bool, 256> seen{};
  int count = 0;
  for (const char c : text) count += !std::exchange(seen[static_cast<unsigned char>(c)], true);
  return count;
}

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

bool is_common_password(std::string_view password) {
  const auto text = lower(password);
  if (different_characters(text) <= 2) return true;
  if (is_sequence(text)) return true;
  const auto once = without_repetition(text);
  if (once.size() < text.size() && once.size() <= 4) return true;
  if (is_sequence(once)) return true;
  // Dates and phone numbers of up to ten digits are tried in full.
  if (all_digits(text) && text.size() <= 10) return true;

  for (const auto& form : {std::string(once), without_leet(std::string(once))}) {
    const auto bare = without_decoration(form);
    if (is_word(bare) || is_word(without_repetition(bare))) return true;
    const auto undressed = without_leet(std::string(without_decoration(once)));
    if (is_word(undressed)) return true;
    // Two common words in a row, as in adminpassword.
    for (std::size_t cut = 3; cut + 3 <= undressed.size(); ++cut)
      if (is_word(std::string_view(undressed).substr(0, cut)) &&
          is_word(std::string_view(undressed).substr(cut)))
        return true;
  }
  // qwerty123456, 1q2w3e4r: digits and letters in two walks side by side.
  std::string letters, digits;
  for (const char c : text) (is_letter(c) ? letters : digits) += c;
  if (letters.size() >= 3 && is_word(letters) && is_sequence(digits)) return true;
  if (letters.size() + 1 >= digits.size() && digits.size() >= 3 && is_sequence(digits) &&
      (std::string_view("qwertyuiop").starts_with(letters) ||
       std::string_view("qazwsxedcrfv").starts_with(letters)))
    return true;
  return false;
}

void check_password(std::string_view password, std::string_view email, std::string_view name) {
  if (password.size() > kPasswordMax)
    throw Error(Code::Invalid, "a password may have up to 1024 bytes", "/password");
  if (characters(password) < kPasswordMin)
    throw Error(Code::Invalid, "a password needs at least 8 characters; 15 are better",
                "/password");
  const auto text = lower(password);
  const auto local = lower(email.substr(0, email.find('@')));
  const auto bare = std::string(without_decoration(text));
  if (text == lower(email) || (!local.empty() && (text == local || bare == local)) ||
      text == lower(name) || bare == lower(name))
    throw Error(Code::Invalid, "the password is your name or e-mail address", "/password");
  if (is_common_password(password))
    throw Error(Code::Invalid,
                "this password is among those that are guessed first; three or four words of your "
                "own are better",
                "/password");
}

}  // namespace hone::server
