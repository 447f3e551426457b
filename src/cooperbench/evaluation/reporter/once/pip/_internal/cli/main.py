from pip import main  # what the `pip` command of older versions calls
