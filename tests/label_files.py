"""Label files of published data sets, for the tests of their formats."""

from __future__ import annotations

# The example box of data/README.md in https://github.com/Yuliang-Liu/Curve-Text-Detector (0200.xml).
OUTLINE = "131,58,208,49,279,56,346,76,412,101,473,141,530,192,510,246,458,210,405,175,350,151,291,137,228,133,165,134"
CORNERS = [
    [131, 58], [208, 49], [279, 56], [346, 76], [412, 101], [473, 141], [530, 192],
    [510, 246], [458, 210], [405, 175], [350, 151], [291, 137], [228, 133], [165, 134],
]  # fmt: skip
XML = f"""\
<Annotations>
  <image file="0200.jpg">
    <box height="197" left="131" top="49" width="399">
      <label>OLATHE</label>
      <segs>{OUTLINE}</segs>
      <pts x="183" y="95" />
      <pts x="251" y="89" />
    </box>
  </image>
</Annotations>
"""
# The same box in the first release, by the same README: its rectangle, then the corners relative to its top left.
OFFSETS = (
    "131,49,530,246,0,9,77,0,148,7,215,27,281,52,342,92,399,143,379,197,327,161,274,126,219,102,160,88,97,84,34,85"
)
# The first lines of gt_100.txt (training) and gt_img_1.txt (test) of https://rrc.cvc.uab.es/?ch=2.
FOOTPATH = '158 128 411 181 "Footpath"\r\n443 128 501 169 "To"\r\n64 200 363 243 "Colchester"\r\n'
# train/IMG_0030.gt of the set (http://www.iapr-tc11.org, MSRA Text Detection 500 Database).
IMG_0030 = "0 0 749 860 47 105 -0.048040\n1 1 728 919 16 44 -0.023252\n"
# Entries of poly_gt_img11.txt of the official .txt release (https://github.com/cs-chan/Total-Text-Dataset);
# the longest one wrapped as numpy prints it.
IMG11 = """\
x: [[115 503 494 115]], y: [[322 346 426 404]], ornt: [u'm'], transcriptions: [u'nauGHTY']
x: [[ 734 1058 1061  744]], y: [[360 369 449 430]], ornt: [u'm'], transcriptions: [u'NURIS']
x: [[562 595 651 687 653
  637 604 588]], y: [[347 304 305 360 366
  334 332 361]], ornt: [u'c'], transcriptions: [u'nauGHTY']
x: [[543 583 660 701 691 653 592 557]], y: [[347 288 288 347 358 308 302 355]], ornt: [u'#'], transcriptions: [u'#']
"""
