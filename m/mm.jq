def f: 42;
