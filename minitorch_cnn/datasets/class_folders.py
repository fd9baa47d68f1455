"""Which files belong to which class: the folders of a data set, listed without opening a file."""

import os
from pathlib import Path

from minitorch_cnn.datasets.images import is_file, is_folder
from minitorch_cnn.errors import DataError
from minitorch_cnn.files.printable import printable
from minitorch_cnn.files.regular import leads_outside

HIDDEN = (".", "__MACOSX")  # folders whose names begin so are not classes; macOS archives contain the second
TRAIN, TEST = ("train", "training"), ("validation", "val", "valid", "test", "testing")  # or train_set, Train, ...


def existing_folder(name: str, folder: str | Path) -> Path:
    """`folder` as a Path; raises DataError, which begins with `name`, if there is no such folder."""
    folder = Path(os.path.expanduser(folder))
    if not is_folder(folder):
        found = "a file (unpack an archive first)" if is_file(folder) else "nothing there"
        raise DataError(f"{name}: {folder}: expected a folder, found {found}")
    return folder


def labelled_parts(
    name: str, folder: Path, skipped: list[str]
) -> tuple[dict[str, list[Path]], dict[str, list[Path]] | None]:
    """The files for training and for testing, each as {class name: paths}; appends to `skipped` as `classes` does.

    The second is None if `folder` has no part for testing. Folders beside the parts are appended to `skipped`, too.
    Raises DataError for fewer than two classes, or when the two parts differ in their classes.
    """
    beside: list[Path] = []
    if (place := training_part(folder)) is not None:
        train = classes(place, folder, skipped)
        inside = [path for path in followed(folder, folder, skipped) if is_folder(path) and path != place]
        parts = [path for name in TEST for path in inside if _part(path) == name]
        test = next((found for part in parts if (found := classes(part, folder, skipped))), None)
        beside = [path for path in inside if path not in parts and not path.name.startswith(HIDDEN)]
        skipped += [f"{printable(path)}: a folder beside {place.name}" for path in beside]
    else:
        train, test = classes(folder, folder, skipped), None
    if len(train) < 2 and beside and place is not None:
        others = ", ".join(printable(path.name) for path in beside)[:300]
        raise DataError(
            f"{name}: {folder}: expected a folder for each class in {place.name}, found"
            f" {f'only {next(iter(train))}' if train else 'none'}; beside it: {others}; if {place.name} is a class like"
            " these, give it another name"
        )
    if len(train) < 2:
        also = f" ({len(skipped)} skipped, the first: {skipped[0]})" if skipped else ""
        only = "".join(train)
        deeper = f"; if its classes are in {only}, name {folder / only}" if only and _has_folders(folder / only) else ""
        raise DataError(
            f"{name}: {folder}: expected a folder for each class, in train/ or directly inside, found "
            f"{f'only {only}' if only else 'none'}{also}{deeper}"
        )
    if test is not None and (strange := sorted(test.keys() - train.keys())):
        raise DataError(
            f"{name}: {folder}: expected the same classes for testing as for training ({', '.join(train)[:300]}), "
            f"got {', '.join(strange)[:300]}"
        )
    return train, test


def training_part(folder: Path) -> Path | None:
    """The folder in `folder` that holds the images to train on, or None if it is not divided into parts.

    Of several, it is one that is not empty, and rather `train` than `Train` or `training`. Those two are a part only if
    there are folders in them: a class may be called so.
    """
    inside = [path for path in followed(folder, folder, []) if _part(path) in TRAIN and is_folder(path)]
    inside = [path for path in inside if path.name == "train" or any(map(is_folder, followed(path, folder, [])))]
    usual = sorted(inside, key=lambda path: (TRAIN.index(_part(path)), path.name != _part(path)))
    return next((path for path in usual if followed(path, folder, [])), usual[0] if usual else None)


def _part(path: Path) -> str:
    return path.name.lower().replace("-", "_").removesuffix("_set")


def classes(folder: Path, root: Path, skipped: list[str]) -> dict[str, list[Path]]:
    """The folders inside `folder` with the files in each, both sorted by name; hidden ones are left out.

    Links that lead out of `root` or to a folder around them, pipes and devices are appended to `skipped`.
    """
    found: dict[str, list[Path]] = {}
    for inner in followed(folder, root, skipped):
        if not is_folder(inner) or inner.name.startswith(HIDDEN):
            continue
        if inner.is_symlink() and folder.resolve().is_relative_to(inner.resolve()):
            skipped.append(f"{printable(inner)}: a link to a folder that it is in")
            continue
        if (name := printable(inner.name)) in found:
            raise DataError(f"{folder}: two class folders are called {name}")
        found[name] = files_below(inner, root, skipped)
    return found


def files_below(folder: Path, root: Path, skipped: list[str]) -> list[Path]:
    """The files in `folder`, and those in the folders inside it; hidden ones are left out.

    Links to files are followed unless they lead out of `root`. Links to folders are not, because they may lead in a
    circle; they, pipes and devices are appended to `skipped`.
    """
    found, folders = [], [folder]
    while folders:
        inner = []
        for path in followed(folders.pop(), root, skipped):
            if path.name.startswith(HIDDEN):
                continue
            if is_file(path):
                found.append(path)
            elif is_folder(path) and not path.is_symlink():
                inner.append(path)
            else:
                skipped.append(f"{printable(path)}: {'a link to a folder' if is_folder(path) else 'not a file'}")
        folders += reversed(inner)
    return found


def followed(folder: Path, root: Path, skipped: list[str]) -> list[Path]:
    """The entries of a folder, sorted by name, without links that lead out of `root`, which are added to `skipped`.

    Empty if it is not a folder; DataError if it is unreadable.
    """
    try:
        entries = sorted(folder.iterdir(), key=lambda path: path.name) if is_folder(folder) else []
    except OSError as error:
        raise DataError(f"{folder}: expected a readable folder: {error.strerror}") from None
    outside = {path for path in entries if leads_outside(path, root)}
    skipped += [f"{printable(path)}: a link that leads out of the folder" for path in entries if path in outside]
    return [path for path in entries if path not in outside]


def _has_folders(folder: Path) -> bool:
    return is_folder(folder) and len([path for path in followed(folder, folder, []) if is_folder(path)]) > 1
