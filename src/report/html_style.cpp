#include "report/html_parts.hpp"

namespace lifeboat {

// Grey is normal, colour means abnormal; there is no green. Light and dark follow the reader's machine.
std::string_view html_style() {
  return R"(
:root{color-scheme:light dark;--bg:#f1f2f1;--surface:#fafaf9;--sunken:#e6e9e9;--line:#d7dbdb;--line-2:#a7b0b2;--edge:#798488;--ink:#12181b;--ink-2:#3f4a4f;--ink-3:#586469;--fill:#c3cacb;--fill-2:#7c888d;--warn:#b56a00;--warn-ink:#7d4700;--bad:#c22a20;--bad-ink:#a31d15;--on-bad:#fff}
@media (prefers-color-scheme:dark){:root{--bg:#0d1113;--surface:#12181b;--sunken:#090c0e;--line:#232c31;--line-2:#455259;--edge:#6c7a80;--ink:#e9eded;--ink-2:#b7c1c4;--ink-3:#8f9ba0;--fill:#333f45;--fill-2:#71808a;--warn:#e3a33a;--warn-ink:#f3c070;--bad:#f4604f;--bad-ink:#ff9d91;--on-bad:#0d1113}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:400 .875rem/1.45 "Inter","Inter Variable",ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;font-variant-numeric:tabular-nums slashed-zero;font-feature-settings:"tnum","zero"}
h1,h2,p,ol,dl,dd,table{margin:0;padding:0}ol{list-style:none}
h1{font-size:1.625rem;line-height:1.15;font-weight:600;letter-spacing:-.018em;margin:.5rem 0;text-wrap:balance}
h2{font-size:.875rem;font-weight:600}
.top{display:flex;align-items:center;gap:1rem;min-height:48px;padding:0 1.5rem;border-bottom:1px solid var(--line);background:var(--surface)}
.top b{display:flex;align-items:center;gap:.5rem;font-weight:650;font-size:.9375rem}.top b svg{width:20px;height:20px}.top .end{margin-left:auto}
main{max-width:80rem;margin:0 auto;padding:1.5rem}
.drill main{margin:1rem auto;border:2px dashed var(--edge);border-radius:10px}
.q{color:var(--ink-2)}.qq{color:var(--ink-3)}.bad{color:var(--bad-ink)}.warn{color:var(--warn-ink)}b.bad,td.bad{font-weight:600}
.lead{font-size:1rem;max-width:60rem;text-wrap:pretty}
.tags{display:flex;flex-wrap:wrap;align-items:center;gap:.25rem .75rem;font-size:.8125rem;color:var(--ink-2)}
.tag{font-weight:600;padding:.15rem .5rem;border-radius:3px}.tag.real{background:var(--bad);color:var(--on-bad)}.tag.drill{border:1.5px dashed var(--edge);color:var(--ink)}
.mono{font-family:ui-monospace,"SF Mono","Cascadia Mono","DejaVu Sans Mono",monospace;font-size:.92em}
.g{width:1em;height:1em;vertical-align:-.13em;flex:none;margin-right:.4em}
.goals{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr));gap:1.5rem 3rem;margin:1.5rem 0 0;border-top:1px solid var(--line);padding-top:1.25rem}
.goal .big{font-size:3.25rem;font-weight:300;line-height:1;letter-spacing:-.02em;font-variant-numeric:proportional-nums}
.goal .what{display:flex;justify-content:space-between;gap:1rem;font-size:.8125rem;color:var(--ink-2)}
.scale{position:relative;height:10px;border-radius:2px;background:var(--sunken);box-shadow:inset 0 0 0 1px var(--line);margin:.6rem 2px .4rem 0}
.scale i{position:absolute;top:0;bottom:0;left:0;min-width:2px;background:var(--ink);border-radius:2px 0 0 2px}.scale i.over{background:var(--bad)}
.scale u{position:absolute;top:-4px;bottom:-4px;width:2px;background:var(--ink)}
.strip{display:grid;grid-template-columns:repeat(auto-fit,minmax(7.5rem,1fr));margin:1.25rem 0 0;border-top:1px solid var(--line);border-bottom:1px solid var(--line)}
.strip div{padding:.6rem .75rem;border-left:1px solid var(--line);margin-left:-1px}.strip dt{font-size:.8125rem;color:var(--ink-3)}.strip dd{font-weight:600}.strip dd.q{font-weight:400}
.strip div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
.panel{background:var(--surface);border:1px solid var(--line);border-radius:10px;margin-top:1.5rem;overflow:hidden}
.panel>header{display:flex;flex-wrap:wrap;align-items:baseline;gap:.25rem .75rem;padding:.75rem 1rem;border-bottom:1px solid var(--line)}.panel>header span{margin-left:auto;font-size:.8125rem;color:var(--ink-3)}
.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,26rem),1fr));gap:0 1.5rem}.two .panel{align-self:start}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.8125rem}th{font-weight:500;color:var(--ink-3);text-align:left}th,td{padding:.5rem .75rem;border-bottom:1px solid var(--line);vertical-align:top}th:first-child,td:first-child{padding-left:1rem}
tr:last-child td{border-bottom:0}.n{text-align:right;white-space:nowrap}.nb{white-space:nowrap}td.say{min-width:16rem;overflow-wrap:anywhere}td small{display:block;color:var(--ink-3);font-size:.75rem}
tbody.phase th{padding-top:1rem;color:var(--ink);font-weight:600;border-bottom-color:var(--line-2)}s{color:var(--ink-3)}
.rows li{display:grid;grid-template-columns:7.5rem 1fr;gap:.75rem;padding:.45rem 1rem;border-top:1px solid var(--line);font-size:.8125rem;overflow-wrap:anywhere}.rows li:first-child{border-top:0}.rows time,.rows .at{color:var(--ink-3);white-space:nowrap}.rows small{display:block;color:var(--ink-3);font-size:.75rem}
.empty{padding:.75rem 1rem;color:var(--ink-3);font-size:.8125rem}
.chart{padding:.5rem 1rem 1rem;overflow-x:auto}.chart svg{display:block;width:100%;min-width:44rem;height:auto}.chart text{fill:var(--ink-2);font-size:12px;paint-order:stroke;stroke:var(--surface);stroke-width:4px;stroke-linejoin:round}.chart .k{fill:var(--ink-3);font-size:11px}.chart .h{fill:var(--ink);font-weight:600}.chart .b{fill:var(--bad-ink);font-weight:600}
footer{padding:1.5rem 0 0;color:var(--ink-3);font-size:.8125rem}
@media (max-width:719px){main{padding:1rem}.drill main{margin:.5rem}.top{padding:0 1rem}.rows li{grid-template-columns:1fr;gap:0}h1{font-size:1.25rem}.goal .big{font-size:2.25rem}}
@media print{:root{--bg:#fff;--surface:#fff}body{color:#000}.panel{break-inside:avoid-page}}
@media (forced-colors:active){.scale{outline:1px solid CanvasText}.scale i,.scale u{forced-color-adjust:none;background:CanvasText}}
)";
}

std::string_view html_shapes() {
  return "<svg width=0 height=0 style='position:absolute' aria-hidden=true><defs>"
         "<symbol id=g-done viewBox='0 0 16 16'><path d='M3 8.6l3.4 3.4L13 4.6' fill=none stroke=currentColor "
         "stroke-width=2.1 stroke-linecap=round stroke-linejoin=round /></symbol>"
         "<symbol id=g-failed viewBox='0 0 16 16'><path fill=currentColor fill-rule=evenodd d='M5 .8h6L15.2 5v6L11 "
         "15.2H5L.8 11V5zM5.900 4.400L4.400 5.900 6.500 8l-2.100 2.100 1.500 1.500L8 9.500l2.100 2.100 "
         "1.500-1.500L9.500 8l2.100-2.100-1.500-1.500L8 6.500z'/></symbol>"
         "<symbol id=g-skipped viewBox='0 0 16 16'><path d='M2.500 3.500L7 8l-4.500 4.500M8.500 3.500L13 8l-4.500 "
         "4.500' fill=none stroke=currentColor stroke-width=2 stroke-linecap=round stroke-linejoin=round /></symbol>"
         "<symbol id=g-undone viewBox='0 0 16 16'><path d='M5.500 2L2.200 5.300l3.300 3.300M2.600 5.300H9a4.200 4.200 "
         "0 0 1 0 8.400H5' fill=none stroke=currentColor stroke-width=2 stroke-linecap=round stroke-linejoin=round "
         "/></symbol>"
         "<symbol id=g-waiting viewBox='0 0 16 16'><circle cx=8 cy=4.400 r=3.300 fill=currentColor /><path "
         "fill=currentColor d='M1.600 15.200a6.400 6.400 0 0 1 12.800 0z'/></symbol>"
         "<symbol id=g-running viewBox='0 0 16 16'><circle cx=8 cy=8 r=6.100 fill=none stroke=currentColor "
         "stroke-width=1.700 /><path fill=currentColor d='M8 4.100a3.900 3.900 0 0 1 0 7.800z'/></symbol>"
         "<symbol id=g-idle viewBox='0 0 16 16'><circle cx=8 cy=8 r=5.600 fill=none stroke=currentColor "
         "stroke-width=1.700 /></symbol>"
         "<symbol id=g-boat viewBox='0 0 20 20'><circle cx=10 cy=10 r=6.400 fill=none stroke=currentColor "
         "stroke-width=5 stroke-dasharray='6.050 4' stroke-dashoffset=-2 /></symbol>"
         "</defs></svg>";
}

std::string html_mark(std::string_view name) {
  return "<svg class=g aria-hidden=true><use href='#g-" + std::string(name) + "'/></svg>";
}

std::string html_escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f ? ' ' : c;
    }
  }
  return out;
}

}  // namespace lifeboat
