// As much of XML as object stores answer with: elements and their text. Attributes, comments and processing instructions are
// read over; a document type is refused, so no entity but the five predefined ones and character references can stand for
// anything. Bounded in depth and number of elements, since what is read comes from somebody else.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/error.hpp"

namespace lifeboat {

struct XmlElement {
  std::string name;  // without its namespace prefix
  std::string text;  // of this element alone
  std::vector<XmlElement> children;

  // The first child of that name, or null.
  const XmlElement* child(std::string_view name) const;
  // The text of the first child of that name, or empty.
  std::string text_of(std::string_view name) const;
};

// The root element. Errors: `invalid_input`, saying at which byte.
Result<XmlElement> parse_xml(std::string_view text);
// Text as it may stand in an element.
std::string xml_escape(std::string_view text);

}  // namespace lifeboat
