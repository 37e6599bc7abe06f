#include "io/xml.hpp"

#include <charconv>

namespace lifeboat {
namespace {

constexpr size_t kDeepest = 16;
constexpr size_t kMost = 100'000;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

void append_utf8(std::string& to, uint32_t code) {
  auto byte = [&](uint32_t value) { to += static_cast<char>(value); };
  if (code < 0x80) return byte(code);
  if (code < 0x800) return byte(0xC0 | code >> 6), byte(0x80 | (code & 0x3F));
  if (code < 0x10000) return byte(0xE0 | code >> 12), byte(0x80 | (code >> 6 & 0x3F)), byte(0x80 | (code & 0x3F));
  byte(0xF0 | code >> 18), byte(0x80 | (code >> 12 & 0x3F)), byte(0x80 | (code >> 6 & 0x3F)),
      byte(0x80 | (code & 0x3F));
}

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  Result<XmlElement> document() {
    TRY_VOID(skip_between());
    XmlElement root;
    TRY_VOID(element(root, 1));
    TRY_VOID(skip_between());
    if (at_ != text_.size()) return wrong("something follows the root element");
    return root;
  }

 private:
  std::unexpected<Error> wrong(std::string_view what) const {
    return fail(ErrorKind::invalid_input, fmt::format("the XML is broken at byte {}: {}", at_, what));
  }
  bool next_is(std::string_view what) const { return text_.substr(at_).starts_with(what); }
  Result<> skip_past(std::string_view end) {
    size_t found = text_.find(end, at_);
    if (found == std::string_view::npos) return wrong("it ends too early");
    at_ = found + end.size();
    return {};
  }

  // Blanks, comments and declarations outside the root element.
  Result<> skip_between() {
    while (at_ < text_.size()) {
      if (is_space(text_[at_])) {
        ++at_;
      } else if (next_is("\xEF\xBB\xBF")) {
        at_ += 3;
      } else if (next_is("<?")) {
        TRY_VOID(skip_past("?>"));
      } else if (next_is("<!--")) {
        TRY_VOID(skip_past("-->"));
      } else if (next_is("<!")) {
        return wrong("a document type is not taken");
      } else {
        break;
      }
    }
    return {};
  }

  Result<> element(XmlElement& into, size_t depth) {
    if (depth > kDeepest) return wrong("it is nested too deep");
    if (++count_ > kMost) return wrong("it has too many elements");
    if (!next_is("<")) return wrong("an element was expected");
    ++at_;
    TRY(std::string full, name());
    size_t colon = full.find(':');
    into.name = colon == std::string::npos ? full : full.substr(colon + 1);
    TRY(bool empty, attributes());
    if (empty) return {};
    return content(into, full, depth);
  }

  Result<std::string> name() {
    size_t begin = at_;
    while (at_ < text_.size() && !is_space(text_[at_]) && text_[at_] != '>' && text_[at_] != '/' && text_[at_] != '<')
      ++at_;
    if (at_ == begin) return wrong("a name was expected");
    return std::string(text_.substr(begin, at_ - begin));
  }

  // Up to the end of the tag. True: the element has no content.
  Result<bool> attributes() {
    char quote = 0;
    for (; at_ < text_.size(); ++at_) {
      char c = text_[at_];
      if (quote != 0) {
        if (c == quote) quote = 0;
      } else if (c == '"' || c == '\'') {
        quote = c;
      } else if (c == '<') {
        return wrong("a tag inside a tag");
      } else if (c == '>') {
        bool empty = text_[at_ - 1] == '/';
        ++at_;
        return empty;
      }
    }
    return wrong("a tag does not end");
  }

  Result<> content(XmlElement& into, const std::string& full, size_t depth) {
    while (at_ < text_.size()) {
      if (next_is("</")) {
        at_ += 2;
        TRY(std::string closing, name());
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
        if (closing != full || !next_is(">")) return wrong(fmt::format("<{}> is not closed", full.substr(0, 40)));
        ++at_;
        return {};
      }
      if (next_is("<!--")) {
        TRY_VOID(skip_past("-->"));
      } else if (next_is("<![CDATA[")) {
        size_t begin = at_ + 9;
        TRY_VOID(skip_past("]]>"));
        into.text += text_.substr(begin, at_ - 3 - begin);
      } else if (next_is("<?")) {
        TRY_VOID(skip_past("?>"));
      } else if (next_is("<")) {
        TRY_VOID(element(into.children.emplace_back(), depth + 1));
      } else if (text_[at_] == '&') {
        TRY_VOID(reference(into.text));
      } else {
        into.text += text_[at_++];
      }
    }
    return wrong(fmt::format("<{}> is not closed", full.substr(0, 40)));
  }

  Result<> reference(std::string& to) {
    size_t end = text_.find(';', at_);
    if (end == std::string_view::npos || end - at_ > 12) return wrong("an '&' stands for nothing");
    std::string_view what = text_.substr(at_ + 1, end - at_ - 1);
    if (what == "amp") {
      to += '&';
    } else if (what == "lt") {
      to += '<';
    } else if (what == "gt") {
      to += '>';
    } else if (what == "quot") {
      to += '"';
    } else if (what == "apos") {
      to += '\'';
    } else {
      bool hex = what.starts_with("#x");
      std::string_view digits = what.starts_with('#') ? what.substr(hex ? 2 : 1) : std::string_view();
      uint32_t code = 0;
      auto [stop, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), code, hex ? 16 : 10);
      bool whole = problem == std::errc{} && stop == digits.data() + digits.size() && !digits.empty();
      if (!whole || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return wrong("an '&' stands for nothing");
      append_utf8(to, code);
    }
    at_ = end + 1;
    return {};
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t count_ = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view wanted) const {
  for (const XmlElement& element : children) {
    if (element.name == wanted) return &element;
  }
  return nullptr;
}

std::string XmlElement::text_of(std::string_view wanted) const {
  const XmlElement* found = child(wanted);
  return found == nullptr ? std::string() : found->text;
}

Result<XmlElement> parse_xml(std::string_view text) { return Reader(text).document(); }

std::string xml_escape(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&apos;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace lifeboat
