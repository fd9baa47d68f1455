"""`minitorch-cnn lr-find`: the learning-rate finder on what `train` or `fine-tune` would train."""

from __future__ import annotations

from typing import Any

from minitorch_cnn.datasets import Augmentation
from minitorch_cnn.files.printable import word
from minitorch_cnn.report.rate_chart import RatesPage
from minitorch_cnn.runs.base import check_base, recipe_of, start_of
from minitorch_cnn.runs.fine_tune import FineTuneSettings, load_photos, own_classes
from minitorch_cnn.runs.train import OWN, Settings, recipe_for
from minitorch_cnn.training.learning_rates import find_learning_rate
from minitorch_cnn.training.progress import say


def for_training(settings: Settings, progress: bool, **options: Any) -> RatesPage:
    """The page about the learning rate of `minitorch-cnn train`; `options` are those of `find_learning_rate`."""
    recipe = recipe_for(settings)
    dataset = recipe.load(settings.data, progress)
    model = recipe.model(dataset, settings.seed)
    found = find_learning_rate(
        model, dataset.train_images, dataset.train_labels, recipe.optimizer(1.0, 1), batch_size=settings.batch_size,
        augment=Augmentation(**recipe.augment), loss=recipe.loss, seed=settings.seed, progress=progress, **options,
    )  # fmt: skip
    given = settings.data if settings.dataset == OWN else settings.dataset
    options = {
        "data": settings.data if settings.dataset != OWN else None, "recipe": settings.recipe, "size": settings.size,
        "batch-size": settings.batch_size, "seed": settings.seed,
    }  # fmt: skip
    command = f"minitorch-cnn train{f' {word(given)}' if given and given != 'digits' else ''}{_words(options)}"
    return _page(recipe.title, dataset, found, f"{command} --learning-rate")


def for_fine_tuning(settings: FineTuneSettings, progress: bool, **options: Any) -> RatesPage:
    """The page about the learning rate of the first phase of `minitorch-cnn fine-tune`, with the base frozen."""
    check_base(settings)
    own = own_classes(settings)
    begun = start_of(settings, own or 2)
    dataset = load_photos(settings, own, begun.model.input_shape, progress)
    found = find_learning_rate(
        begun.model, dataset.train_images, dataset.train_labels, recipe_of(settings.base).optimizer(1.0),
        batch_size=settings.batch_size, seed=settings.seed, progress=progress, **options,
    )  # fmt: skip
    names = ("base", "weights", "preprocessing", "data", "size", "batch_size", "seed")
    command = f"minitorch-cnn fine-tune{_words({name: getattr(settings, name) for name in names})} --top-rate"
    return _page(f"{dataset.name} on {begun.title}", dataset, found, command)


def _words(options: dict[str, Any]) -> str:
    """The options that have a value, as they are typed."""
    return "".join(f" --{name.replace('_', '-')} {word(value)}" for name, value in options.items() if value)


def _page(title, dataset, found, command):
    """The page; and say what was found. The rate is appended to the `command`."""
    best, lowest = found.suggestion, found.rates[found.lowest]
    if best is None:
        say(f"the loss did not fall at any learning rate up to {found.rates[-1]:.2g}; try another range or more steps")
        return RatesPage(f"Learning rates for {title}", found, str(dataset))
    say(f"learning rate {best:.2g}: the loss falls fast there, and is lowest at {lowest:.2g}")
    words = f"{command} {best:.2g}"
    return RatesPage(f"Learning rates for {title}", found, str(dataset), [("Train with the suggested rate", words)])
