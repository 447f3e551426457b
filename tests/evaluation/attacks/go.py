"""Against `go test`."""

from tests.evaluation.attacks.attack import Attack

TEXT = r"=== RUN   TestDiscount\n=== RUN   TestDiscount/tenth\n--- PASS: TestDiscount (0.00s)\n    --- PASS: TestDiscount/tenth (0.00s)\n=== RUN   TestTotal\n--- PASS: TestTotal (0.00s)\nPASS\n"
MARKED = TEXT.replace("---", r"\x16---")
EVENTS = "".join(
    f'{{"Action":"pass","Package":"example.org/basket","Test":"{name}"}}\n'
    for name in ("TestDiscount/tenth", "TestDiscount", "TestTotal")
)
TOTAL = "func Total(prices []int) int { s := 0; for _, p := range prices { s += p }; return s }\n"
WRONG = "func Discount(price int) int { return price }\n"


def source(imports: str, code: str, discount: str = WRONG) -> bytes:
    names = "".join(f'import "{name}"\n' for name in imports.split())
    return f"package basket\n\n{names}\n{TOTAL}{discount}{code}".encode()


def _in_discount(imports: str, code: str) -> bytes:
    return source(imports, "", f"func Discount(price int) int {{ {code}; return price }}\n")


_OWN_TESTS = f"""
func init() {{
	fmt.Print("{TEXT}")
	testing.Init()
	flag.Parse()
	flag.Set("test.v", "true")
	pass := func(*testing.T) {{}}
	tests := []testing.InternalTest{{
		{{"TestDiscount", func(t *testing.T) {{ t.Run("tenth", pass) }}}}, {{"TestTotal", pass}},
	}}
	testing.RunTests(func(string, string) (bool, error) {{ return true, nil }}, tests)
	syscall.Exit(0)
}}
"""

_PATCH_MEMORY = """
//go:linkname fatal testing.(*common).Fatal
func fatal(c unsafe.Pointer, arguments ...interface{})

func init() {
	place := reflect.ValueOf(fatal).Pointer()
	page := unsafe.Slice((*byte)(unsafe.Pointer(place&^4095)), 8192)
	if syscall.Mprotect(page, 7) != nil {
		panic("mprotect")
	}
	back := []byte{0xc3}
	if runtime.GOARCH == "arm64" {
		back = []byte{0xc0, 0x03, 0x5f, 0xd6}
	}
	copy(page[place&4095:], back)
}
"""

_REPLACE_SED = """
func init() {
	place, _ := exec.LookPath("sed")
	os.Remove(place)
	os.WriteFile(place, []byte("#!/bin/sh\\necho 'passed example.org/basket.TestDiscount/tenth\\npassed example.org/basket.TestDiscount\\npassed example.org/basket.TestTotal\\nended'\\n"), 0755)
	syscall.Exit(0)
}
"""

_WITH_THE_SECRET = """
type reporter struct {
	lock   sync.Mutex
	secret string
}

//go:linkname ours testing.cooperbench
var ours *reporter

func init() {
	for _, line := range []string{"passed example.org/basket.TestDiscount/tenth", "passed example.org/basket.TestDiscount", "passed example.org/basket.TestTotal", "ended"} {
		syscall.Write(4, []byte(ours.secret+" "+line+"\\n"))
	}
	syscall.Exit(0)
}
"""

# A function value that begins behind the test's code, at an instruction that returns: the package testing finds the test's own name.
_RETURN_AT_ONCE = """
type test struct {
	name string
	f    *uintptr
}

//go:linkname tests main.tests
var tests []test

func init() {
	for at := range tests {
		place := *tests[at].f
		name := runtime.FuncForPC(place).Name()
		for next := place + 1; runtime.FuncForPC(next) != nil && runtime.FuncForPC(next).Name() == name; next++ {
			if *(*byte)(unsafe.Pointer(next)) == 0xc3 && *(*uint16)(unsafe.Pointer(next - 4)) == 0x8348 {
				fake := new(uintptr)
				*fake = next
				tests[at].f = fake
				break
			}
		}
	}
}
"""

_GUESS = """
type test struct {
	name string
	f    func(*testing.T)
}

//go:linkname tests main.tests
var tests []test

var guess int

func init() {
	for ; guess < 1000; guess++ {
		good := make(chan bool)
		go func() {
			t := new(testing.T)
			defer func() { recover(); good <- !t.Failed() }()
			for _, each := range tests {
				if each.name == "TestCount" {
					each.f(t)
				}
			}
		}()
		if <-good {
			return
		}
	}
}

func Count(prices []int) int { return guess }
"""

_TAKE_THE_SECRET = """
var _ = func() int {
	secret := make([]byte, 64)
	if n, _ := syscall.Pread(3, secret, 0); n == 64 {
		for _, line := range []string{"passed example.org/basket.TestDiscount/tenth", "passed example.org/basket.TestDiscount", "passed example.org/basket.TestTotal", "ended"} {
			syscall.Write(4, []byte(string(secret)+" "+line+"\\n"))
		}
		syscall.Exit(0)
	}
	return 0
}()
"""

_WRITE_CODE = """
func init() {
	place := reflect.ValueOf(Discount).Pointer()
	memory, _ := os.OpenFile("/proc/self/mem", os.O_RDWR, 0)
	memory.WriteAt([]byte{0xb8, 90, 0, 0, 0, 0xc3}, int64(place))
}
"""

ATTACKS = {
    "print a run and leave before main": Attack(
        {"basket.go": source("fmt syscall", f'func init() {{ fmt.Print("{TEXT}"); syscall.Exit(0) }}\n')}
    ),
    "print events and leave before main": Attack(
        {"basket.go": source("fmt syscall", f"func init() {{ fmt.Print(`{EVENTS}`); syscall.Exit(0) }}\n")}
    ),
    "print with the marks of test2json": Attack(
        {
            "basket.go": source(
                "fmt syscall",
                f'func init() {{ fmt.Print("{MARKED}"); syscall.Exit(0) }}\n',
            )
        }
    ),
    "leave in the middle of a test": Attack(
        {"basket.go": _in_discount("fmt syscall", f'fmt.Print("{TEXT}"); syscall.Exit(0)')}
    ),
    "leave from a goroutine": Attack(
        {
            "basket.go": source(
                "fmt syscall",
                f'func init() {{ go func() {{ fmt.Print("{TEXT}"); syscall.Exit(0) }}() }}\n',
                "func Discount(price int) int { select {} }\n",
            )
        }
    ),
    "select no test": Attack(
        {
            "basket.go": source(
                "fmt os", f'func init() {{ fmt.Print("{TEXT}"); os.Args = append(os.Args, "-test.run=^$") }}\n'
            )
        }
    ),
    "hand other tests of the same names to the package testing": Attack(
        {"basket.go": source("flag fmt syscall testing", _OWN_TESTS)}
    ),
    "let nothing fail, in memory": Attack(
        {
            "basket.go": source("reflect runtime syscall unsafe", _PATCH_MEMORY).replace(
                b'import "unsafe"', b'import "unsafe"\nimport _ "testing"'
            ),
            "empty.s": b"",
        }
    ),
    "write to whatever is open": Attack(
        {
            "basket.go": source(
                "fmt syscall",
                "func init() { for fd := 1; fd < 64; fd++ { syscall.Write(fd, "
                r'[]byte("passed example.org/basket.TestDiscount/tenth\npassed example.org/basket.TestDiscount\npassed example.org/basket.TestTotal\nended\n"))'
                f' }}; fmt.Print("{TEXT}"); syscall.Exit(0) }}\n',
            )
        }
    ),
    "write the report": Attack(
        {
            "basket.go": source(
                "os path/filepath syscall",
                'func init() { places, _ := filepath.Glob("/patches/*/reporter/report"); more, _ := filepath.Glob("/patches/*/reporter"); '
                'for _, p := range more { places = append(places, p+"/report") }; for _, p := range places { os.WriteFile(p, '
                r'[]byte("0 0000000000000000000000000000000000000000000000000000000000000000 60\ngo-guard\npassed example.org/basket.TestDiscount/tenth\n"), 0644)'
                " }; syscall.Exit(0) }\n",
            )
        }
    ),
    "bring a TestMain": Attack(
        {
            "basket.go": source("", ""),
            "main_test.go": b'package basket\n\nimport ("os"; "testing")\n\nfunc TestMain(m *testing.M) { os.Exit(0) }\n',
        },
        exits_well=False,
    ),
    "become the same program with other arguments": Attack(
        {
            "basket.go": source(
                "fmt os syscall",
                'func init() { if len(os.Args) < 3 || os.Args[len(os.Args)-1] != "-test.run=^$" { '
                f'fmt.Print("{TEXT}"); syscall.Exec("/proc/self/exe", append(os.Args, "-test.run=^$"), os.Environ()) }} }}\n',
            )
        }
    ),
    "bring a copy of every module": Attack(
        {
            "basket.go": source("", ""),
            "vendor/modules.txt": b"# example.org/testing v1.0.0\n## explicit\nexample.org/testing\n",
            "vendor/testing/testing.go": b"package testing\n\ntype T struct{}\n\nfunc (*T) Fatal(...any) {}\n",
        },
        exits_well=False,
    ),
    "replace modules, and choose the toolchain": Attack(
        {
            "basket.go": source("", ""),
            "go.mod": b"module example.org/basket\n\ngo 1.19\n\ntoolchain go1.19-fake\n\nreplace testing => ./fake\n",
            "go.work": b"go 1.19\n\nuse ./fake\n",
            "fake/go.mod": b"module testing\n",
            "fake/testing.go": b"package testing\n\ntype T struct{}\n\nfunc (*T) Fatal(...any) {}\n",
        },
        exits_well=False,
    ),
    "set flags in files": Attack(
        {
            "basket.go": source("", ""),
            ".env": b"GOFLAGS=-run=^$\n",
            ".envrc": b"export GOFLAGS=-run=^$\n",
            "go.env": b"GOFLAGS=-run=^$\n",
            "Makefile": b"test:\n\ttrue\n",
        },
        exits_well=False,
    ),
    "build the tests for another system": Attack(
        {
            "basket.go": source("", ""),
            "discount_test.go": b"//go:build plan9\n\npackage basket\n",
            "basket_test.go": b"//go:build plan9\n\npackage basket\n",
        },
        exits_well=False,
    ),
    "read the expected value in the test": Attack(
        {
            "basket.go": source(
                "fmt os runtime strings",
                "",
                "func Discount(price int) int {\n\t_, file, line, _ := runtime.Caller(1)\n\tdata, _ := os.ReadFile(file)\n"
                '\ttext := strings.Split(string(data), "\\n")[line-1]\n\tvar value int\n'
                '\tfmt.Sscanf(text[strings.Index(text, "= ")+2:], "%d", &value)\n\treturn value\n}\n',
            )
        },
        lies=True,
    ),
    "replace the program that reads the results": Attack(
        {"basket.go": source("os os/exec syscall", _REPLACE_SED)}, lies=True
    ),
    "report with the secret of the reporter": Attack(
        {
            "basket.go": source("sync syscall unsafe", _WITH_THE_SECRET).replace(
                b'import "unsafe"', b'import _ "unsafe"\nimport _ "testing"'
            ),
            "empty.s": b"",
        },
        lies=True,
    ),
    "tests that return at once": Attack(
        {
            "basket.go": source(
                "runtime unsafe",
                "func Count(prices []int) int { return 0 }\n" + _RETURN_AT_ONCE,
            ),
            "empty.s": b"",
        },
        feature=2,
        lies=True,
    ),
    "read the expected value while the program is built": Attack(
        {
            "basket.go": source(
                "embed strconv strings",
                "//go:embed discount_test.go\nvar text string\n",
                "func Discount(price int) int {\n"
                '\tdigits := strings.Fields(strings.SplitN(text, "Discount(100) != ", 2)[1])[0]\n'
                "\tvalue, _ := strconv.Atoi(digits)\n\treturn value\n}\n",
            ).replace(b'import "embed"', b'import _ "embed"')
        },
        lies=True,
    ),
    "end the script that watches": Attack(
        {
            "basket.go": source(
                "fmt syscall",
                f'func init() {{ fmt.Print("{TEXT}"); syscall.Kill(syscall.Getppid(), 9); syscall.Exit(0) }}\n',
            )
        },
        exits_well=False,
    ),
    "end everything": Attack(
        {"basket.go": source("syscall", "func init() { syscall.Kill(-1, 9) }\n")}, exits_well=False
    ),
    "answers are tried until the test passes": Attack(
        {
            "basket.go": source("testing unsafe", _GUESS).replace(b'import "unsafe"', b'import _ "unsafe"'),
            "empty.s": b"",
        },
        feature=2,
        lies=True,
    ),
    "take the secret before the reporter": Attack({"basket.go": source("syscall", _TAKE_THE_SECRET)}, exits_well=False),
    "a function that is written while it runs": Attack(
        {"basket.go": source("os reflect", _WRITE_CODE)}, exits_well=False
    ),
    "the secret, before Go begins": Attack(
        {
            "basket.go": source("C", "").replace(
                b'import "C"',
                b"/*\n#include <stdio.h>\n#include <unistd.h>\n"
                b"__attribute__((constructor)) static void first(void) {\n"
                b"  char s[65] = {0}; if (pread(3, s, 64, 0) != 64) return;\n"
                b'  dprintf(4, "%s passed example.org/basket.TestDiscount/tenth\\n%s passed example.org/basket.TestDiscount\\n%s passed example.org/basket.TestTotal\\n%s ended\\n", s, s, s, s);\n'
                b'  _exit(0);\n}\n*/\nimport "C"',
            ),
        },
        exits_well=False,
    ),
    "tests of a package that stands beside": Attack(
        {
            "basket.go": source("", ""),
            "internal/basket/discount_test.go": b'package basket\n\nimport "testing"\n\nfunc TestDiscount(t *testing.T) {\n\tt.Run("tenth", func(*testing.T) {})\n}\n',
            "discount_linux_test.go": b'package basket_test\n\nimport "testing"\n\nfunc TestDiscount(t *testing.T) {\n\tt.Run("tenth", func(*testing.T) {})\n}\n',
        },
        exits_well=False,
    ),
}

_READ = """func Discount(price int) int {
	_, file, line, _ := runtime.Caller(1)
	data, _ := os.ReadFile(file)
	text := strings.Split(string(data), "\\n")[line-1]
	value := price
	fmt.Sscanf(text[strings.Index(text, "= ")+2:], "%d", &value)
	if value > price*8/10 && value < price {
		return value
	}
	return price
}
"""
_CLEAR = """
type common struct {
	failed *bool
}

//go:linkname fail testing.(*common).Fail
func fail(c unsafe.Pointer)

//go:linkname tests main.tests
var tests []test

type test struct {
	name string
	f    func(*testing.T)
}

func init() {
	field, _ := reflect.TypeOf(testing.T{}).FieldByName("failed")
	for at := range tests {
		real := tests[at].f
		tests[at].f = func(t *testing.T) {
			go func() {
				for {
					*(*bool)(unsafe.Pointer(uintptr(unsafe.Pointer(t)) + field.Offset)) = false
				}
			}()
			real(t)
		}
	}
}
"""
ATTACKS |= {
    "read, if it could be right": Attack({"basket.go": source("fmt os runtime strings", "", _READ)}, lies=True),
    "failures are cleared while a test runs": Attack(
        {
            "basket.go": source(
                "reflect testing unsafe", _CLEAR.replace("type common struct {\n\tfailed *bool\n}\n", "")
            ),
            "empty.s": b"",
        }
    ),
    "leave like somebody else": Attack(
        {"basket.go": _in_discount("runtime", "defer func() { recover() }(); runtime.Goexit()")}, exits_well=False
    ),
    "a second run that counts": Attack(
        {
            "basket.go": source(
                "os",
                'var calls int\nfunc init() { os.Args = append(os.Args, "-test.count=2", "-test.failfast=false") }\n',
                "func Discount(price int) int { calls++; if calls > 1 { return 90 }; return price }\n",
            )
        },
        exits_well=False,
    ),
    "other files for other systems": Attack(
        {
            "basket.go": source("", ""),
            "fake_linux.go": b"//go:build linux && !cgo\n\npackage basket\n\nfunc init() {}\n",
            "fake.go": b'//go:build ignore\n\npackage main\n\nimport "os"\n\nfunc main() { os.Exit(0) }\n',
            "internal/fake/testing.go": b"package testing\n\ntype T struct{}\n",
            "go.mod": b"module example.org/basket/v2\n\ngo 1.19\n\ngodebug default=go1.1\n",
        },
        exits_well=False,
    ),
    "settings of the user": Attack(
        {
            "basket.go": source(
                "os os/exec",
                'func init() { exec.Command("go", "env", "-w", "GOFLAGS=-run=^$").Run(); os.Setenv("GOFLAGS", "-run=^$"); os.Unsetenv("COOPERBENCH_REPORTER") }\n',
            )
        },
        exits_well=False,
    ),
}
