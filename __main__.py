import signal

from infra import settings, stack

signal.signal(signal.SIGINT, signal.SIG_DFL)  # the engine interrupts the program after an error it has shown already
stack.deploy(settings.load())
