def draw(*a):
    pass


def markdown(rows):
    return ""
