"""The conversations, the same on Telegram and in the web chat."""

from bot import models_on_demand as models_on_demand  # before anything here imports aiogram
