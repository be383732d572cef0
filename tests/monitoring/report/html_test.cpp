#include "monitoring/report/html.h"

#include <cmath>

#include <gtest/gtest.h>

namespace lacuna::monitoring {
namespace {

TEST(EscapeHtml, LeavesNothingThatMarkupCouldBeMadeOf) {
  EXPECT_EQ(escape_html("<img src=x onerror='a()'>&\""),
            "&lt;img src=x onerror=&#39;a()&#39;&gt;&amp;&quot;");
  EXPECT_EQ(escape_html("Zürich ● 大"), "Zürich ● 大");
}

TEST(EscapeHtml, ReplacesBytesThatAreNoText) {
  EXPECT_EQ(escape_html(std::string("a\x01") + "b"), "a\uFFFDb");
  EXPECT_EQ(escape_html("\xC3"), "\uFFFD");                      // cut short
  EXPECT_EQ(escape_html("\xFF!"), "\uFFFD!");                    // never valid
  EXPECT_EQ(escape_html("\xC0\xBC"), "\uFFFD\uFFFD");            // overlong '<'
  EXPECT_EQ(escape_html("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // surrogate
}

TEST(ScriptJson, CannotCloseItsElement) {
  const std::string text = script_json({{"</script><b>", "<!--"}});
  EXPECT_EQ(text.find('<'), std::string::npos);
  EXPECT_EQ(Json::parse(text), Json({{"</script><b>", "<!--"}}));
}

TEST(Numbers, ReadAsTheTablesPrintThem) {
  EXPECT_EQ(percent(0.7126), "71.3");
  EXPECT_EQ(percent(NAN), "–");
  EXPECT_EQ(signed_percent(0.0834), "+8.3");
  EXPECT_EQ(signed_percent(-0.0834), "−8.3");
  EXPECT_EQ(signed_percent(-0.0001), "0.0");
  EXPECT_EQ(millimetres(12.34), "12.3");
  EXPECT_EQ(probability(0.03125), "0.0312");
  EXPECT_EQ(probability(1e-9), "< 0.0001");
  EXPECT_EQ(grouped(1234567), "1\u202F234\u202F567");
  EXPECT_EQ(grouped(-1234), "-1\u202F234");
  EXPECT_EQ(grouped(12), "12");
}

}  // namespace
}  // namespace lacuna::monitoring
