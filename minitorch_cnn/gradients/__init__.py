"""Whether gradients are right: checks against differences and twins, what wrong ones look like, Grad-CAM."""
