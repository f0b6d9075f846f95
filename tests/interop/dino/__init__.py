"""Real Dino under Xvfb, in a network and a mount namespace of its own: the machine stays as it was."""
