"""`load_model`: settings that change no prediction, and numbers that stand among the settings."""

import json

from test_load_model_structure import X, entry, functional

from minitorch_cnn.keras_h5.architecture import parse_architecture
from minitorch_cnn.models.keras_architecture import model_of_architecture


def test_lora_is_merged_into_the_kernel_when_keras_saves():
    """A `.keras` file names its rank and alpha; predictions of such a file were those of Keras 3.15."""
    dense = entry("Dense", "y", ["x"], units=2, lora_rank=2, lora_alpha=3)
    model = model_of_architecture(parse_architecture(json.dumps(functional(X, dense))), seed=0).model
    assert model.output_shape == (5, 4, 2)
