package events_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const packagePath = "github.com/clipqueue/clipqueue/events"

// source is what the package's own files say of its types.
type source struct {
	comments   map[string]string // by Type, Type.Field, function and constant
	consts     map[string][]constant
	imports    []string
	undocument []string // exported and without a comment
}

// constant is one value of an enumeration.
type constant struct{ name, value, comment string }

func parseSource(tb testing.TB) source {
	tb.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		tb.Fatal(err)
	}
	s := source{comments: map[string]string{}, consts: map[string][]constant{}}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			tb.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			s.imports = append(s.imports, path)
		}
		for _, decl := range file.Decls {
			s.read(decl)
		}
	}
	return s
}

func (s *source) read(decl ast.Decl) {
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		s.note(decl.Name.Name, decl.Doc)
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				s.readType(decl, spec)
			case *ast.ValueSpec:
				s.readConst(decl, spec)
			}
		}
	}
}

func (s *source) readType(decl *ast.GenDecl, spec *ast.TypeSpec) {
	s.note(spec.Name.Name, decl.Doc)
	structure, ok := spec.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, field := range structure.Fields.List {
		for _, name := range field.Names {
			s.note(spec.Name.Name+"."+name.Name, field.Doc)
		}
	}
}

func (s *source) readConst(decl *ast.GenDecl, spec *ast.ValueSpec) {
	doc := spec.Doc
	if doc == nil && !decl.Lparen.IsValid() {
		doc = decl.Doc
	}
	name := spec.Names[0].Name
	s.note(name, doc)
	kind, ok := spec.Type.(*ast.Ident)
	if !ok {
		return
	}
	value, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
	s.consts[kind.Name] = append(s.consts[kind.Name], constant{name, value, s.comments[name]})
}

// note keeps a comment as one line without links.
func (s *source) note(name string, doc *ast.CommentGroup) {
	text := strings.Join(strings.Fields(doc.Text()), " ")
	if text == "" {
		s.undocument = append(s.undocument, name)
	}
	s.comments[name] = strings.NewReplacer("[Request]", "Request", "[Event]", "Event").Replace(text)
}
