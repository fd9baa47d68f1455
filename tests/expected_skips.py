"""The reasons for which a test may be skipped in continuous integration, each with the steps in which it holds.

`.ci/run` names its step in the variable CI_STEP. There a test that is skipped for a reason that is not listed for this
step fails the run (`conftest.py`): a test that never runs anywhere proves nothing, and nobody would notice.
"""

import os
import re

EVERY = {"quick", "tests", "campaigns", "gpu", "docs", "pytorch"}

# (what the reason matches, the steps, why that is all right)
EXPECTED = [
    (r"[tT]orch", EVERY - {"pytorch"}, "the step `pytorch` runs them, because installing PyTorch takes minutes"),
    (r"NVRTC|CuPy is not installed|could not import 'cupy'", EVERY - {"gpu"}, "the step `gpu` runs them"),
    (r"nvcc is not installed", EVERY, "CUDA's own compiler is in no package index; NVRTC compiles the same file"),
    (r'pip install -e "\.\[docs\]"', EVERY - {"docs"}, "the step `docs` runs them"),
    (r"no real VGG16 weights|no pretrained network|real photos are not there", EVERY, "not in the repository"),
    (r"this user may read every file", EVERY, "root may; as another user they run"),
    (r"this machine has no AVX2|there is one core|NUMBA_NUM_THREADS allows one", EVERY, "needs such a processor"),
    (r"tomllib", EVERY, "Python 3.10 does not have it; the later versions run it"),
    (r"^unshare:|^no small disk:", EVERY, "mounting is forbidden; the other full disks run everywhere"),
    (r"no chromium", {"quick"}, "the step `tests` runs them"),
]  # fmt: skip
if os.environ.get("CI_NO_BROWSER"):
    EXPECTED.append((r"no chromium", EVERY, ".ci/run may not install a browser here, and says so"))


def unexpected(skips, step):
    """The (place, reason) among `skips` for which a test may not be skipped in this step."""
    return [
        (place, reason)
        for place, reason in skips
        if not any(step in steps and re.search(pattern, reason) for pattern, steps, _ in EXPECTED)
    ]
