// The command awscalls makes the calls of client/aws/cases.py with AWS's SDK.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"reflect"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"
)

type request struct {
	Call        string          `json:"call"`
	Input       json.RawMessage `json:"input"`
	Credentials []string        `json:"credentials"`
	Pages       bool            `json:"pages"`
}

// paginators are the SDK's paginators of the operations in cases with pages.
var paginators = map[string]any{
	"ListAliases":      kms.NewListAliasesPaginator,
	"ListKeys":         kms.NewListKeysPaginator,
	"ListResourceTags": kms.NewListResourceTagsPaginator,
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	settings, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	requests, outcomes := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		client := kms.NewFromConfig(settings, func(o *kms.Options) {
			if len(r.Credentials) == 2 {
				o.Credentials = credentials.NewStaticCredentialsProvider(r.Credentials[0], r.Credentials[1], "")
			}
		})
		if err := outcomes.Encode(outcome(r.make(ctx, client))); err != nil {
			return err
		}
	}
}

func outcome(answer any, err error) map[string]any {
	var refusal smithy.APIError
	var response *awshttp.ResponseError
	if err == nil {
		return map[string]any{"answer": answer}
	}
	if !errors.As(err, &refusal) || !errors.As(err, &response) {
		return map[string]any{"fault": err.Error()}
	}
	var message any = refusal.ErrorMessage()
	if message == "" || message == "UnknownError" { // The SDK has these for an error without a text.
		message = nil
	}
	return map[string]any{"error": refusal.ErrorCode(), "status": response.HTTPStatusCode(), "message": message}
}

func (r request) make(ctx context.Context, client *kms.Client) (any, error) {
	method := reflect.ValueOf(client).MethodByName(r.Call)
	if !method.IsValid() {
		return nil, fmt.Errorf("the SDK has no %s", r.Call)
	}
	input := reflect.New(method.Type().In(1).Elem())
	decoder := json.NewDecoder(bytes.NewReader(r.Input))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(input.Interface()); err != nil {
		return nil, err
	}
	if r.Pages {
		return r.makeAll(ctx, client, input)
	}
	return call(method, ctx, input)
}

// makeAll returns the lists of all pages.
func (r request) makeAll(ctx context.Context, client *kms.Client, input reflect.Value) (any, error) {
	limit := int32(1)
	input.Elem().FieldByName("Limit").Set(reflect.ValueOf(&limit))
	pages := reflect.ValueOf(paginators[r.Call]).Call([]reflect.Value{reflect.ValueOf(client), input})[0]
	all := map[string][]any{}
	for pages.MethodByName("HasMorePages").Call(nil)[0].Bool() {
		page, err := call(pages.MethodByName("NextPage"), ctx)
		if err != nil {
			return nil, err
		}
		for name, member := range page.(map[string]any) {
			if items, isList := member.([]any); isList {
				all[name] = append(all[name], items...)
			}
		}
	}
	return all, nil
}

func call(method reflect.Value, ctx context.Context, arguments ...reflect.Value) (any, error) {
	results := method.Call(append([]reflect.Value{reflect.ValueOf(ctx)}, arguments...))
	if err, failed := results[1].Interface().(error); failed {
		return nil, err
	}
	return plain(results[0]), nil
}

// plain converts a value for encoding/json, and omits absent members.
func plain(value reflect.Value) any {
	switch given := value.Interface().(type) {
	case time.Time:
		return given.Unix()
	case []byte:
		if given == nil {
			return nil
		}
		return given
	case middleware.Metadata:
		return nil // Not a member of the answer.
	}
	switch value.Kind() {
	case reflect.Pointer:
		if value.IsNil() {
			return nil
		}
		return plain(value.Elem())
	case reflect.Slice:
		if value.IsNil() {
			return nil
		}
		items := []any{}
		for i := range value.Len() {
			items = append(items, plain(value.Index(i)))
		}
		return items
	case reflect.Struct:
		members := map[string]any{}
		for i := range value.NumField() {
			if field := value.Type().Field(i); field.IsExported() {
				if member := plain(value.Field(i)); member != nil {
					members[field.Name] = member
				}
			}
		}
		return members
	case reflect.String:
		if value.Len() == 0 && value.Type() != reflect.TypeFor[string]() {
			return nil // An absent value of an enumeration. A text is a pointer.
		}
	}
	return value.Interface()
}
