"""What the reporters in Python watch: the test runner's functions and classes, what the interpreter makes code with, and modules that
stand in for others.

Everything is looked up where it is used, in the namespace of a module or class, and compared by identity: what is gone, became another
kind of object or was added to a class counts as changed. The gold patch's run says what is usual.
Loaded before any code of the repository. Python 3.6 is enough for it.
"""

import ast
import builtins
import importlib.machinery
import operator
import os
import sys
import threading
import types

_any, _map, _is_not = any, map, operator.is_not
_dict_of = vars(type)["__dict__"].__get__
_PARTS = [operator.attrgetter(name) for name in ("__code__", "__defaults__", "__kwdefaults__")]
_find_spec = importlib.machinery.PathFinder.find_spec
_MAKES_CODE = ("ast", "importlib._bootstrap", "importlib._bootstrap_external", "importlib.util", "marshal", "linecache")
_OFTEN = ("_pytest.python", "_pytest.runner", "_pytest.reports", "pluggy", "unittest.case")
_DESCRIPTORS = (classmethod, staticmethod, property)
_WITHOUT_FUNCTION = {type, types.ModuleType, types.BuiltinFunctionType, type(len.__call__), type(str.join), type(str.__add__)}


def attribute_of(value, name, default=None):
    """An attribute; the default also of an object that answers with an error of its own, as one that stands for another does."""
    try:
        return getattr(value, name, default)
    except Exception:
        return default


def function_of(value):
    """The function in a method, property or the like; `None` for other things."""
    kind = type(value)
    if kind is types.FunctionType:
        return value
    if kind in _WITHOUT_FUNCTION:  # most of what there is, in a tenth of the time
        return None
    function = attribute_of(value, "__func__", attribute_of(value, "fget", value))
    return function if type(function) is types.FunctionType else None


def _is_code(value):
    return callable(value) or isinstance(value, _DESCRIPTORS) or isinstance(value, types.ModuleType)


class _Namespace(object):
    """The functions and classes in one module or class, as they are now."""

    def __init__(self, name, owner):
        self.name = name
        self.owner = owner
        self.often = name.startswith(_OFTEN) or owner is builtins
        self._taken = [(key, value) for key, value in list(vars(owner).items()) if _is_code(value)]
        self._keys, self._values = [key for key, _ in self._taken], [value for _, value in self._taken]
        self._functions = [each for each in _map(function_of, self._values) if each is not None]
        self._parts = [[part(function) for function in self._functions] for part in _PARTS]
        self._all = set(vars(owner))

    def _is_same(self):
        """Compare everything by identity, 30 times as fast as one by one."""
        now = vars(self.owner)
        if _any(_map(_is_not, _map(now.get, self._keys), self._values)):
            return False
        parts = zip(_PARTS, self._parts)
        return not _any(_any(_map(_is_not, _map(part, self._functions), taken)) for part, taken in parts)

    def changed(self):
        """List what is gone, another, or in a class new."""
        now = vars(self.owner)
        is_class = isinstance(self.owner, type)
        if self._is_same() and not (is_class and len(now) > len(self._all)):
            return []
        taken = dict(zip(self._functions, zip(*self._parts)))
        found = [key for key, value in self._taken if now.get(key) is not value]
        for key, value in self._taken:
            function = function_of(value)
            if function is not None and _any(part(function) is not one for part, one in zip(_PARTS, taken[function])):
                found.append(key)
        found += [key for key in set(now) - self._all if is_class and _is_code(now[key])]
        return [self.name + "." + key for key in found]


class Watch(object):
    """The packages of a test runner, and what makes code."""

    def __init__(self, packages):
        self._modules = {}
        self._namespaces = [_Namespace("builtins", builtins)]
        for name, module in sorted(sys.modules.items()):
            if isinstance(module, types.ModuleType) and (name.split(".")[0] in packages or name in _MAKES_CODE):
                self._add(name, module, packages)
        self._finders = self._names_of_finders()
        self._hooks = list(map(name_of, sys.path_hooks))

    def _add(self, name, module, packages):
        self._modules[name] = module
        self._namespaces.append(_Namespace(name, module))
        for key, value in list(vars(module).items()):
            if isinstance(value, type) and value.__module__ == name and name.split(".")[0] in packages:
                self._namespaces.append(_Namespace(name + "." + key, value))

    def holds(self, thing):
        """Tell whether a module, or the class of an object, is one of those that are watched."""
        return any(namespace.owner is thing or namespace.owner is type(thing) for namespace in self._namespaces)

    @staticmethod
    def _names_of_finders():
        """Those that are asked before the interpreter's own one for files."""
        names = list(map(name_of, sys.meta_path))
        return names[: names.index("_frozen_importlib_external.PathFinder") + 1] if "_frozen_importlib_external.PathFinder" in names else names

    def changed(self, everything):
        """The names of what changed; unless `everything` is wanted, only where tests are run."""
        found = set()
        for namespace in self._namespaces:
            if everything or namespace.often:
                found.update(namespace.changed())
        found.update("sys.modules: " + name for name, module in self._modules.items() if everything and sys.modules.get(name) is not module)
        found.update("sys.meta_path: " + name for name in self._names_of_finders() if name not in self._finders)
        for finder in sys.meta_path:
            found.update("sys.meta_path: %s.%s" % (name_of(finder), name) for name in on_instance(finder))
        found.update("sys.path_hooks: " + name for name in map(name_of, sys.path_hooks) if name not in self._hooks)
        found.update(_tracers())
        return found


def name_of(value):
    """A readable name that is the same in every run."""
    of = value if isinstance(value, (type, types.FunctionType, types.BuiltinFunctionType)) else type(value)
    return "%s.%s" % (getattr(of, "__module__", ""), getattr(of, "__qualname__", ""))


def _tracers():
    """What sees, and can steer, each line that runs."""
    found = [sys.gettrace(), sys.getprofile()]
    found += [getattr(threading, name, None) for name in ("_trace_hook", "_profile_hook")]
    names = set("a tracer: " + name_of(tracer) for tracer in found if tracer is not None)
    monitoring = getattr(sys, "monitoring", None)
    if monitoring is not None:
        tools = [monitoring.get_tool(number) for number in range(6)]
        names.update("a tracer: " + tool for tool in tools if tool is not None)
    return names


def on_instance(instance):
    """Names of what lies on an object in the place of its class's functions."""
    kind = type(instance)
    return [key for key, value in list(getattr(instance, "__dict__", {}).items()) if callable(value) and function_of(getattr(kind, key, None))]


def stand_ins():
    """Modules out of the repository that are called like one of the image."""
    here = os.getcwd()
    root = "/workspace/repo" if (here + "/").startswith("/workspace/repo/") else here
    outside = [entry for entry in sys.path if entry and not _inside(os.path.abspath(entry), root)]
    found = set()
    for name, module in list(sys.modules.items()):
        origin = attribute_of(module, "__file__")
        if "." in name or not isinstance(origin, str) or not _inside(os.path.abspath(origin), root):
            continue
        spec = _find_spec(name, outside)
        if name in sys.builtin_module_names or (spec is not None and spec.origin is not None):
            found.add("a module that stands in for the image's: " + name)
    return found


def _inside(path, root):
    return (path + "/").startswith(root + "/") and "/site-packages/" not in path and "/dist-packages/" not in path


def _key(value):
    """What of a code object or constant its source decides, in a form that can be compared."""
    if isinstance(value, types.CodeType):
        names = (value.co_name, value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars)
        counts = (value.co_flags, value.co_argcount, value.co_kwonlyargcount)
        return ("code", names, counts, value.co_code, tuple(map(_key, value.co_consts)))
    if isinstance(value, (tuple, frozenset)):
        parts = map(_key, value)
        return (type(value).__name__, tuple(parts) if isinstance(value, tuple) else frozenset(parts))
    return (type(value).__name__, repr(value))


class Texts(object):
    """Compiles test files anew, from their own text, as pytest does."""

    def __init__(self, rewrite_asserts=None):
        self._rewrite = rewrite_asserts
        self._compile = compile
        self._literal = ast.literal_eval
        self._known = {}

    def _codes(self, path, config, rewrite):
        if (path, rewrite) not in self._known:
            with open(path, "rb") as stream:
                source = stream.read()
            tree = self._compile(source, path, "exec", 0x400, True)  # a syntax tree, nothing inherited
            if rewrite:
                self._rewrite(tree, source, path, config)
            self._known[path, rewrite] = found = set()
            self._collect(self._compile(tree, path, "exec", 0, True), found)
        return self._known[path, rewrite]

    def _holds(self, path, config, key):
        # As a file is usually loaded first: each form takes 7 ms for a file of 150 lines.
        forms = (True, False) if self._rewrite is not None else (False,)
        return any(key in self._codes(path, config, rewrite) for rewrite in forms)

    def _collect(self, code, found):
        found.add(_key(code))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self._collect(constant, found)

    def differing(self, module, config=None):
        """Names of a test module's functions that do not come from the text of its file."""
        namespace = vars(module)
        own = namespace.get("__builtins__")
        found = [] if own in (builtins, vars(builtins)) else ["__builtins__"]
        classes = [_dict_of(value) for value in list(namespace.values()) if issubclass(type(value), type)]
        owners = [namespace] + [each for each in classes if each.get("__module__") == module.__name__]
        for owner in owners:
            for key, value in list(owner.items()):
                function = function_of(attribute_of(value, "_fixture_function", value))
                if function is None or function.__module__ != module.__name__:
                    continue
                if not self._holds(module.__file__, config, _key(function.__code__)):
                    found.append(key)
        return found

    def other_tables(self, module):
        """Names of a module's functions whose tables for `parametrize` do not hold the literals of its file."""
        with open(module.__file__, "rb") as stream:
            tree = self._compile(stream.read(), module.__file__, "exec", 0x400, True)
        return [name for name, value, node in _defined(vars(module), tree, "") if not self._has_tables(value, node)]

    def _has_tables(self, value, node):
        marks = attribute_of(value, "pytestmark", ())
        marks = [mark for mark in marks if attribute_of(mark, "name") == "parametrize"] if type(marks) in (list, tuple) else ()
        calls = [each for each in reversed(node.decorator_list) if attribute_of(attribute_of(each, "func"), "attr") == "parametrize"]
        return len(marks) == len(calls) and all(map(self._is_table, marks, calls))

    def _is_table(self, mark, call):
        given = [each.value for each in call.keywords if each.arg == "argvalues"] + call.args[1:2]
        table = mark.kwargs["argvalues"] if "argvalues" in mark.kwargs else (mark.args + (None, None))[1]
        if not given or type(given[0]).__name__ not in ("List", "Tuple") or any(type(row).__name__ == "Starred" for row in given[0].elts):
            return True  # not known
        return type(table) in (list, tuple) and len(table) == len(given[0].elts) and all(map(self._is_row, table, given[0].elts))

    def _is_row(self, row, node):
        cells = [node]
        if attribute_of(attribute_of(node, "func"), "attr", attribute_of(attribute_of(node, "func"), "id")) == "param":
            row, cells = list(attribute_of(row, "values", ())), node.args
        elif type(node).__name__ in ("List", "Tuple") and type(row) in (list, tuple):
            row, cells = list(row), node.elts
        else:
            row = [row]
        return len(row) == len(cells) and all(map(self._is_cell, row, cells))

    def _is_cell(self, value, node):
        try:
            literal = self._literal(node)
        except (ValueError, TypeError):
            return True  # made by the test
        return _same(value, literal)


def _defined(namespace, node, prefix):
    for each in node.body:
        kind, value = type(each).__name__, namespace.get(getattr(each, "name", None))
        if value is not None and kind in ("FunctionDef", "AsyncFunctionDef", "ClassDef"):
            yield prefix + each.name, value, each
            if kind == "ClassDef" and issubclass(type(value), type):
                for found in _defined(_dict_of(value), each, prefix + each.name + "::"):
                    yield found


def _same(value, literal):
    """Compare with a literal, by type as well: what is equal to everything is not the same."""
    if type(value) is not type(literal):
        return False
    if type(literal) is dict:
        return _same(list(value.items()), list(literal.items()))
    if type(literal) in (list, tuple):
        return len(value) == len(literal) and all(map(_same, value, literal))
    return value == literal or literal != literal
