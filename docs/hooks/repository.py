"""Links from the documentation into the repository.

A page contains `[the layer](../minitorch_cnn/engine/layers/dense.py#Dense.scores)`, which any viewer of the repository
can open. In the site the same link leads to a page with the lines of that file, at the line where `Dense.scores`
begins. A picture or a table is copied; another Markdown file, and a folder, becomes a page of its own.
"""

import os
import posixpath
import re
from pathlib import PurePosixPath

import fences
import source_code

LINK = re.compile(r"(?<=\]\()(?P<target>[^)\s]+)(?=\))")
ELSEWHERE = re.compile(r"[a-z]+:|#|/", re.IGNORECASE)
COPIED = {".svg", ".png", ".jpg", ".csv", ".npz"}
LANGUAGES = {
    ".py": "python",
    ".cu": "cuda",
    ".toml": "toml",
    ".html": "html",
    ".css": "css",
    ".yml": "yaml",
    "": "text",
}
FOLDER = "source"


class Repository:
    """The files under `root` that pages link to, and where each of them is in the site."""

    def __init__(self, root):
        self.root = root
        self.origin = {}  # page made from a file -> that file

    def files_for(self, pages, config):
        """The files that the site needs beside `pages` ({src_uri: Markdown}): what they link to and quote."""
        from mkdocs.structure.files import File  # only the build needs MkDocs, names and links can be looked at without

        made, waiting = {}, list(pages.items())
        while waiting:
            where, text = waiting.pop()
            for path in self._mentioned(text, where):
                place = self.place(path)
                if in_docs(path) or place in made:
                    continue
                content = self._content(path)
                if content is None:
                    made[place] = File.generated(config, place, abs_src_path=str(self.root / path))
                    continue
                self.origin[place] = path
                made[place] = File.generated(config, place, content=content)
                if path.endswith(".md") or (self.root / path).is_dir():
                    waiting.append((place, content))
        return made.values()

    def is_quoted(self, where):
        """Whether the page shows a file of the repository, rather than being one of the documentation."""
        return where in self.origin

    def place(self, path):
        """Where the site has a file or folder of the repository, as a path below docs/."""
        if in_docs(path):
            return path.removeprefix("docs/")
        if (self.root / path).is_dir():
            readme = posixpath.join(path, "README.md")
            return f"{FOLDER}/{readme if (self.root / readme).is_file() else posixpath.join(path, 'index.md')}"
        copied = PurePosixPath(path).suffix in COPIED or path.endswith(".md")
        return f"{FOLDER}/{path}" if copied else f"{FOLDER}/{path}.md"

    def address(self, path, where, name=None):
        """The link from the page `where` to a file, at the line where `name` begins."""
        anchor = ""
        if name:
            first, _ = source_code.span((self.root / path).read_text(encoding="utf-8"), name, path)
            anchor = f"#__codelineno-0-{first}"
        return posixpath.relpath(self.place(path), posixpath.dirname(where) or ".") + anchor

    def rewrite_links(self, markdown, where):
        """`markdown` with every link that leaves docs/ pointing to its place in the site."""

        def one(match):
            path, name = self._resolve(match["target"], where)
            if path is None or (in_docs(path) and where not in self.origin):
                return match[0]
            if in_docs(path) or not path.endswith(".py"):
                return self.address(path, where) + (f"#{name}" if name else "")
            return self.address(path, where, name)

        return fences.outside(markdown, lambda text: LINK.sub(one, text))

    def _mentioned(self, markdown, where):
        """The repository's paths that a page links to or quotes; ValueError for one that is not there."""
        found = []
        fences.outside(markdown, lambda text: found.extend(LINK.findall(text)) or text)
        paths = [self._resolve(target, where)[0] for target in found]
        quoted = []
        if where not in self.origin:
            fences.replace(markdown, "python source", lambda body, line: quoted.append(body) or "")
        paths += [line.split()[0] for body in quoted for line in body.splitlines() if line.strip()]
        return [path for path in paths if path is not None]

    def _resolve(self, target, where):
        """(path in the repository, name) that a link means; (None, None) for a link that is not into the repository."""
        if ELSEWHERE.match(target):
            return None, None
        path, _, name = target.partition("#")
        home = self.origin.get(where, f"docs/{where}")
        base = home if (self.root / home).is_dir() else posixpath.dirname(home)
        path = posixpath.normpath(posixpath.join(base, path))
        if in_docs(path):
            return path, name
        if path.startswith("..") or not (self.root / path).exists():
            raise ValueError(f"{where}: the link {target} leads to nothing in the repository")
        return path, name

    def _content(self, path):
        """The Markdown of the page that shows a file or a folder; None for what is copied as it is."""
        whole = self.root / path
        if whole.is_dir():
            if (whole / "README.md").is_file():
                return (whole / "README.md").read_text(encoding="utf-8")
            return _listing(whole, path)
        if path.endswith(".md"):
            return whole.read_text(encoding="utf-8")
        suffix = PurePosixPath(path).suffix
        if suffix in COPIED:
            return None
        language = LANGUAGES.get(suffix, "text")
        code = fences.block(whole.read_text(encoding="utf-8"), f'{{ .{language} linenums="1" }}')
        return f"---\nsearch:\n  exclude: true\nhide:\n  - toc\n---\n\n# `{path}`\n\n{code}\n"


def in_docs(path):
    """Whether a path of the repository is one of the documentation's own pages; its Python files are code like any."""
    return path.startswith("docs/") and not path.endswith(".py")


def _listing(folder, path):
    names = sorted(
        entry.name for entry in os.scandir(folder) if entry.is_file() and entry.name.endswith((".py", ".md"))
    )
    return f"# `{path}`\n\n" + "\n".join(f"- [`{name}`]({name})" for name in names) + "\n"
